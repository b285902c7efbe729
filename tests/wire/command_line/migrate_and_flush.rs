//! `migrate` and `flush-expired-tokens`.

use auth_tests::cases::{OnBothDatabases, OnBothEmptyDatabases};
use auth_tests::{Database, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::fixture::{CommandOutput, Fixture};
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnBothDatabases =>
            flush_deletes_only_what_expired_long_ago;
        OnBothEmptyDatabases =>
            the_second_migration_does_nothing,
            flush_fails_without_tables]
}

/// Options of the profile `production`, on an embedded database in `folder` or on the database of the case.
fn options(database: &Database, folder: &tempfile::TempDir) -> auth_tests::server::ServerOptions {
    let options = database.server("production");
    let options = options.env("AUTH__DATABASE__EMBEDDED", "true");
    options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().unwrap())
}

async fn the_second_migration_does_nothing(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let run = |args: &[&str]| CommandOutput::of(options.run_to_exit(SERVER, args), args);
    // In this profile only `migrate` creates tables.
    assert!(run(&["users", "list"]).failure().contains("auth-server migrate"));
    let first = run(&["migrate"]);
    let names: Vec<_> = first.success().lines().map(|line| line.strip_prefix("applied ").expect("a name")).collect();
    assert!(names.len() >= 3 && names.is_sorted(), "{first}");
    assert_eq!(run(&["migrate"]).success(), "nothing to do: the tables are up to date\n");
    assert_eq!(run(&["users", "list"]).success().lines().count(), 1);

    let fixture = Fixture::with(database, options);
    let pair = fixture.client.register_and_login("alice").await;
    // It also does nothing while a server runs.
    assert_eq!(fixture.run(&["migrate"]).success(), "nothing to do: the tables are up to date\n");
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
}

async fn flush_deletes_only_what_expired_long_ago(database: Database) {
    // The server's own pruning is off, so that only the command prunes.
    let options = database.server("simplejwt").env("AUTH__MAINTENANCE__PRUNE_INTERVAL_SECONDS", "0");
    let fixture = Fixture::with(database, options.env("AUTH__MAINTENANCE__PRUNE_BATCH", "2"));
    let flushed = || fixture.run(&["flush-expired-tokens"]).success().to_owned();
    const NOTHING: &str = "pruned 0 sessions, 0 blacklist entries, 0 codes, 0 counts of attempts \
                           and 0 failed emails\n";
    assert_eq!(flushed(), NOTHING);

    // Five sessions and three blacklisted tokens of deleted users, none of them expired.
    let first = fixture.client.register_and_login("alice").await;
    let mut logins = vec![first.clone()];
    for _ in 0..4 {
        logins.push(fixture.client.login("alice").await);
    }
    for _ in 0..3 {
        let deleted = fixture.client.register_and_login("gone").await;
        fixture.run(&["users", "delete", "gone"]).success();
        let answer = fixture.client.post("/api/token/blacklist/", None, json!({"refresh": deleted.refresh})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(flushed(), NOTHING);

    // Rows that expired two days ago are pruned; an hour is too recent, because clocks may be adjusted.
    let (lifetime, hour) = (7 * 24 * 60 * 60, 60 * 60);
    let long_ago = lifetime + 48 * hour;
    let (expiry, pruning) = (earlier(&fixture, "expires_at", long_ago), earlier(&fixture, "prune_at", long_ago));
    fixture.database.execute(&format!("UPDATE sessions SET {expiry}, {pruning}; UPDATE blacklist SET {expiry}"));
    let kept = fixture.client.login("alice").await;
    let recent = fixture.client.register_and_login("bob").await;
    let bob = fixture.client.me(&recent.access).await.json()["id"].as_i64().expect("a number");
    let (expiry, pruning) =
        (earlier(&fixture, "expires_at", lifetime + hour), earlier(&fixture, "prune_at", lifetime + hour));
    fixture.database.execute(&format!("UPDATE sessions SET {expiry}, {pruning} WHERE user_id = {bob}"));
    assert_eq!(flushed(), NOTHING.replacen("0 sessions, 0", "5 sessions, 3", 1));
    assert_eq!(flushed(), NOTHING);

    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    let kept = TokenPair::of(&fixture.client.refresh(&kept.refresh).await);
    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    // The tokens of a pruned session are refused, and a recently expired session is still reported as expired.
    for login in &logins {
        assert_eq!(fixture.client.refresh(&login.refresh).await.status, 401);
    }
    assert_eq!(fixture.client.refresh(&recent.refresh).await.field("detail"), "Token is expired");
}

/// Returns an SQL assignment that moves a time back by this many seconds.
fn earlier(fixture: &Fixture, column: &str, seconds: i64) -> String {
    match &fixture.database {
        Database::Sqlite(_) => format!("{column} = {column} - {seconds} * 1000000"),
        Database::Postgres(_) => format!("{column} = {column} - interval '{seconds} seconds'"),
    }
}

async fn flush_fails_without_tables(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let args = ["flush-expired-tokens"];
    CommandOutput::of(options.run_to_exit(SERVER, &args), &args).failure();
}
