//! `migrate` and `flush-expired-tokens`.

use libtest_mimic::Trial;
use serde_json::json;

use crate::desk::{Desk, Said, affordable, cases};
use crate::support::{BINARY, Database, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        on_both:
            migrating_twice_changes_nothing_the_second_time,
            what_expired_long_ago_is_forgotten_and_nothing_else,
            a_database_without_tables_is_not_flushed
    ]
}

/// Where the tables are: a file in a folder, or the database of the case.
fn options(database: &Database, folder: &tempfile::TempDir) -> auth_tests::server::ServerOptions {
    let options = affordable(database.server("production"));
    let options = options.env("AUTH__DATABASE__EMBEDDED", "true");
    options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().unwrap())
}

async fn migrating_twice_changes_nothing_the_second_time(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let run = |args: &[&str]| Said::of(options.run_to_end(BINARY, args), args);
    // Nothing else brings tables up to date here.
    assert!(run(&["users", "list"]).failed().contains("auth-server migrate"));
    let first = run(&["migrate"]);
    let names: Vec<_> = first.done().lines().map(|line| line.strip_prefix("applied ").expect("a name")).collect();
    assert!(names.len() >= 3 && names.is_sorted(), "{first}");
    assert_eq!(run(&["migrate"]).done(), "nothing to do: the tables are up to date\n");
    assert_eq!(run(&["users", "list"]).done().lines().count(), 1);

    let desk = Desk::with(database, options);
    let pair = desk.api.newcomer("alice").await;
    // Beside a server it does as little.
    assert_eq!(desk.run(&["migrate"]).done(), "nothing to do: the tables are up to date\n");
    assert_eq!(desk.api.refresh(&pair.refresh).await.status, 200);
}

/// Runs SQL past the program.
pub(crate) fn sql(desk: &Desk, statement: &str) {
    match &desk.database {
        Database::Postgres(database) => drop(database.psql(statement)),
        Database::Sqlite => {
            let file = desk.server.dir().join("auth-data/auth.sqlite3");
            let connection = rusqlite::Connection::open(file).expect("the database");
            connection.busy_timeout(std::time::Duration::from_secs(30)).expect("a timeout");
            connection.execute_batch(statement).expect("SQL");
        }
    }
}

async fn what_expired_long_ago_is_forgotten_and_nothing_else(database: Database) {
    // The server's own pruning is off, so that the command is what forgets.
    let options = affordable(database.server("simplejwt")).env("AUTH__MAINTENANCE__PRUNE_INTERVAL_SECONDS", "0");
    let desk = Desk::with(database, options.env("AUTH__MAINTENANCE__PRUNE_BATCH", "2"));
    let flushed = || desk.run(&["flush-expired-tokens"]).done().to_owned();
    const NOTHING: &str = "forgot 0 sessions and 0 blacklist entries; 0 codes, 0 counts of attempts, \
                           0 mails that were given up\n";
    assert_eq!(flushed(), NOTHING);

    // Five logins and three blacklisted tokens of nobody's, all of them still good.
    let first = desk.api.newcomer("alice").await;
    let mut logins = vec![first.clone()];
    for _ in 0..4 {
        logins.push(desk.api.login("alice").await);
    }
    for _ in 0..3 {
        let gone = desk.api.newcomer("gone").await;
        desk.run(&["users", "delete", "gone"]).done();
        let answer = desk.api.post("/api/token/blacklist/", None, json!({"refresh": gone.refresh})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(flushed(), NOTHING);

    // Two days ago is long enough; an hour ago is not: clocks jump.
    let (lifetime, hour) = (7 * 24 * 60 * 60, 60 * 60);
    let long_ago = lifetime + 48 * hour;
    let (expiry, pruning) = (earlier(&desk, "expires_at", long_ago), earlier(&desk, "prune_at", long_ago));
    sql(&desk, &format!("UPDATE sessions SET {expiry}, {pruning}; UPDATE blacklist SET {expiry}"));
    let kept = desk.api.login("alice").await;
    let recent = desk.api.newcomer("bob").await;
    let bob = desk.api.me(&recent.access).await.json()["id"].as_i64().expect("a number");
    let (expiry, pruning) =
        (earlier(&desk, "expires_at", lifetime + hour), earlier(&desk, "prune_at", lifetime + hour));
    sql(&desk, &format!("UPDATE sessions SET {expiry}, {pruning} WHERE user_id = {bob}"));
    assert_eq!(flushed(), NOTHING.replacen("0 sessions and 0", "5 sessions and 3", 1));
    assert_eq!(flushed(), NOTHING);

    assert_eq!(desk.api.me(&kept.access).await.status, 200);
    let kept = Pair::of(&desk.api.refresh(&kept.refresh).await);
    assert_eq!(desk.api.me(&kept.access).await.status, 200);
    // A forgotten session does not come back to life, and one that is only over is still known to be.
    for login in &logins {
        assert_eq!(desk.api.refresh(&login.refresh).await.status, 401);
    }
    assert_eq!(desk.api.refresh(&recent.refresh).await.field("detail"), "Token is expired");
}

/// An assignment that makes a moment so many seconds earlier.
fn earlier(desk: &Desk, column: &str, seconds: i64) -> String {
    match &desk.database {
        Database::Sqlite => format!("{column} = {column} - {seconds} * 1000000"),
        Database::Postgres(_) => format!("{column} = {column} - interval '{seconds} seconds'"),
    }
}

async fn a_database_without_tables_is_not_flushed(database: Database) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = options(&database, &folder);
    let args = ["flush-expired-tokens"];
    Said::of(options.run_to_end(BINARY, &args), &args).failed();
}
