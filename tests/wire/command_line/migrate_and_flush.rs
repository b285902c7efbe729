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
            what_expired_long_ago_is_forgotten_and_nothing_else;
        OnBothEmptyDatabases =>
            migrating_twice_changes_nothing_the_second_time,
            a_database_without_tables_is_not_flushed]
}

/// Where the tables are: a file in a folder, or the database of the case.
fn options(database: &Database, folder: &tempfile::TempDir) -> auth_tests::server::ServerOptions {
    let options = database.server("production");
    let options = options.env("AUTH__DATABASE__EMBEDDED", "true");
    options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().unwrap())
}

async fn migrating_twice_changes_nothing_the_second_time(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let run = |args: &[&str]| CommandOutput::of(options.run_to_end(SERVER, args), args);
    // Nothing else brings tables up to date here.
    assert!(run(&["users", "list"]).failed().contains("auth-server migrate"));
    let first = run(&["migrate"]);
    let names: Vec<_> = first.done().lines().map(|line| line.strip_prefix("applied ").expect("a name")).collect();
    assert!(names.len() >= 3 && names.is_sorted(), "{first}");
    assert_eq!(run(&["migrate"]).done(), "nothing to do: the tables are up to date\n");
    assert_eq!(run(&["users", "list"]).done().lines().count(), 1);

    let fixture = Fixture::with(database, options);
    let pair = fixture.client.newcomer("alice").await;
    // Beside a server it does as little.
    assert_eq!(fixture.run(&["migrate"]).done(), "nothing to do: the tables are up to date\n");
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
}

async fn what_expired_long_ago_is_forgotten_and_nothing_else(database: Database) {
    // The server's own pruning is off, so that the command is what forgets.
    let options = database.server("simplejwt").env("AUTH__MAINTENANCE__PRUNE_INTERVAL_SECONDS", "0");
    let fixture = Fixture::with(database, options.env("AUTH__MAINTENANCE__PRUNE_BATCH", "2"));
    let flushed = || fixture.run(&["flush-expired-tokens"]).done().to_owned();
    const NOTHING: &str = "forgot 0 sessions and 0 blacklist entries; 0 codes, 0 counts of attempts, \
                           0 emails that were given up\n";
    assert_eq!(flushed(), NOTHING);

    // Five logins and three blacklisted tokens of nobody's, all of them still good.
    let first = fixture.client.newcomer("alice").await;
    let mut logins = vec![first.clone()];
    for _ in 0..4 {
        logins.push(fixture.client.login("alice").await);
    }
    for _ in 0..3 {
        let gone = fixture.client.newcomer("gone").await;
        fixture.run(&["users", "delete", "gone"]).done();
        let answer = fixture.client.post("/api/token/blacklist/", None, json!({"refresh": gone.refresh})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(flushed(), NOTHING);

    // Two days ago is long enough; an hour ago is not: clocks jump.
    let (lifetime, hour) = (7 * 24 * 60 * 60, 60 * 60);
    let long_ago = lifetime + 48 * hour;
    let (expiry, pruning) = (earlier(&fixture, "expires_at", long_ago), earlier(&fixture, "prune_at", long_ago));
    fixture.database.execute(&format!("UPDATE sessions SET {expiry}, {pruning}; UPDATE blacklist SET {expiry}"));
    let kept = fixture.client.login("alice").await;
    let recent = fixture.client.newcomer("bob").await;
    let bob = fixture.client.me(&recent.access).await.json()["id"].as_i64().expect("a number");
    let (expiry, pruning) =
        (earlier(&fixture, "expires_at", lifetime + hour), earlier(&fixture, "prune_at", lifetime + hour));
    fixture.database.execute(&format!("UPDATE sessions SET {expiry}, {pruning} WHERE user_id = {bob}"));
    assert_eq!(flushed(), NOTHING.replacen("0 sessions and 0", "5 sessions and 3", 1));
    assert_eq!(flushed(), NOTHING);

    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    let kept = TokenPair::of(&fixture.client.refresh(&kept.refresh).await);
    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    // A forgotten session does not come back to life, and one that is only over is still known to be.
    for login in &logins {
        assert_eq!(fixture.client.refresh(&login.refresh).await.status, 401);
    }
    assert_eq!(fixture.client.refresh(&recent.refresh).await.field("detail"), "Token is expired");
}

/// An assignment that makes a moment so many seconds earlier.
fn earlier(fixture: &Fixture, column: &str, seconds: i64) -> String {
    match &fixture.database {
        Database::Sqlite(_) => format!("{column} = {column} - {seconds} * 1000000"),
        Database::Postgres(_) => format!("{column} = {column} - interval '{seconds} seconds'"),
    }
}

async fn a_database_without_tables_is_not_flushed(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let args = ["flush-expired-tokens"];
    CommandOutput::of(options.run_to_end(SERVER, &args), &args).failed();
}
