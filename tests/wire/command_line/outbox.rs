//! `outbox …`: waiting emails, emails that were given up, and retries.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use auth_tests::cases::{OnSqlite, Once};
use auth_tests::{Database, ServerOptions, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::fixture::Fixture;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnSqlite =>
            delivered_emails_leave_the_outbox,
            failed_emails_are_listed_and_can_be_retried;
        Once =>
            a_long_outbox_is_listed_completely,
            list_escapes_control_characters,
            prints_where_emails_are_written,
            nothing_is_enqueued_if_emails_are_off
    ]
}

const UNKNOWN_ID: &str = "0123456789abcdef0123456789abcdef";

/// Returns the rows that `outbox list` prints below its header, split into words.
fn listed(fixture: &Fixture, args: &[&str]) -> Vec<Vec<String>> {
    let output = fixture.run(&[&["outbox", "list"], args].concat());
    let mut rows = output.success().lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let header = rows.next().expect("titles");
    assert_eq!(header, ["id", "kind", "to", "queued", "attempts", "state", "last", "error"]);
    rows.collect()
}

/// Polls until the result is accepted. Panics after a minute.
async fn poll_until<T: Debug>(poll: impl Fn() -> T, is_accepted: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = poll();
        if is_accepted(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "still {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn email_files(fixture: &Fixture) -> Vec<PathBuf> {
    let folder = fixture.server.dir().join("auth-data/mail").read_dir().expect("a folder of emails");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

/// Sends emails to a port that nothing listens on: each is given up after one attempt.
fn with_unreachable_smtp(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__MAIL__TRANSPORT", "smtp").env("AUTH__MAIL__SMTP_HOST", "127.0.0.1");
    let options = options.env("AUTH__MAIL__SMTP_PORT", "1").env("AUTH__MAIL__SMTP_TLS", "none");
    let options = options.env("AUTH__MAIL__BASE_URL", "https://app.example").env("AUTH__MAIL__MAX_ATTEMPTS", "1");
    options.env("AUTH__MAIL__FROM", "Example <no-reply@app.example>")
}

async fn delivered_emails_leave_the_outbox(database: Database) {
    let fixture = Fixture::new(database, "development");
    assert_eq!(listed(&fixture, &[]), Vec::<Vec<String>>::new());
    fixture.client.register_and_login("alice").await;
    poll_until(|| fixture.server.log(), |log| log.contains(".eml")).await;
    let written = email_files(&fixture);
    let text = std::fs::read_to_string(&written[0]).unwrap();
    assert!(
        text.contains("alice@example.com") && text.contains(&format!("{}/email/verify/?token=", fixture.client.url))
    );
    poll_until(|| listed(&fixture, &[]), Vec::is_empty).await;
    assert_eq!(fixture.run(&["outbox", "retry", "--all"]).success(), "rescheduled: 0\n");
    let name = written[0].file_name().unwrap().to_str().unwrap();
    poll_until(|| fixture.server.log(), |log| log.contains(name)).await;
}

async fn failed_emails_are_listed_and_can_be_retried(database: Database) {
    let options = with_unreachable_smtp(database.server("development"));
    let fixture = Fixture::with(database, options);
    fixture.client.register_and_login("alice").await;
    let failure = poll_until(|| listed(&fixture, &["--failed"]), |rows| rows.len() == 1).await;
    let [id, kind, to, queued, attempts, state, failed_at, error @ ..] = &failure[0][..] else { panic!("{failure:?}") };
    assert_eq!([kind, to, attempts, state], ["email_verification", "alice@example.com", "1", "failed"]);
    assert!(queued.ends_with('Z') && failed_at >= queued, "{failure:?}");
    assert!(error.join(" ").contains("127.0.0.1"), "{failure:?}");
    assert_eq!(listed(&fixture, &[]), failure);
    poll_until(|| fixture.server.log(), |log| log.contains("gave up on an email") && log.contains(id)).await;

    // Each retry fails again.
    let warnings = || fixture.server.log().matches("gave up on an email").count();
    for (tries, args) in [(2, ["outbox", "retry", id]), (3, ["outbox", "retry", "--all"])] {
        assert_eq!(fixture.run(&args).success(), "rescheduled: 1\n");
        poll_until(warnings, |found| *found == tries).await;
        poll_until(|| listed(&fixture, &["--failed"]), |rows| rows.len() == 1).await;
    }
    for (args, missing) in [
        (&[UNKNOWN_ID][..], &[UNKNOWN_ID][..]),
        (&["nothing"], &["nothing"]),
        (&["", "../auth", "'; DROP TABLE outbox"], &["\"\"", "../auth", "DROP TABLE"]),
        (&[id.as_str(), UNKNOWN_ID], &[UNKNOWN_ID, "rescheduled: 1"]),
    ] {
        let output = fixture.run(&[&["outbox", "retry"], args].concat());
        let line = output.failure();
        assert!(missing.iter().all(|name| line.contains(name)), "{line}");
    }
    poll_until(warnings, |found| *found == 4).await;
    poll_until(|| listed(&fixture, &[]), |rows| rows.len() == 1).await;
}

/// Inserts `count` emails that were given up directly into the database; SQLite only.
fn insert_failed_emails(fixture: &Fixture, count: usize, recipient: &str) {
    fixture.database.execute(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
             INSERT INTO outbox (id, kind, recipient, content, queued_at, attempts, failed_at, last_error) \
             SELECT randomblob(16), 'password_changed', '{recipient}', x'00', unixepoch() * 1000000, 1, \
             unixepoch() * 1000000, 'no {recipient}' FROM numbers"
    ));
}

async fn a_long_outbox_is_listed_completely() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    insert_failed_emails(&fixture, 1_234, "a@example.com");
    for args in [&[][..], &["--failed"]] {
        let rows = listed(&fixture, args);
        let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!((rows.len(), ids.len()), (1_234, 1_234));
    }
    assert_eq!(fixture.run(&["outbox", "retry", "--all"]).success(), "rescheduled: 1234\n");
}

async fn list_escapes_control_characters() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    insert_failed_emails(&fixture, 1, "a\u{1b}]0;owned\u{7}\r\n\u{202e}b@example.com");
    let output = fixture.run(&["outbox", "list"]);
    assert_eq!(output.success().lines().count(), 2, "{output}");
    let is_control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!output.result.contains(is_control) && output.result.contains("owned"), "{output}");
}

async fn prints_where_emails_are_written() {
    let options = ServerOptions::new("development", None).env("AUTH__LOG__FORMAT", "text");
    let fixture = Fixture::with(Database::sqlite(), options);
    let printed = poll_until(|| fixture.server.stdout(), |printed| printed.contains("Try it:")).await;
    assert!(printed.contains("\nEmails in     auth-data/mail\n"), "{printed}");
}

async fn nothing_is_enqueued_if_emails_are_off() {
    let options = ServerOptions::new("development", None).env("AUTH__MAIL__TRANSPORT", "none");
    let fixture = Fixture::with(Database::sqlite(), options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off"));
    let pair = fixture.client.register_and_login("alice").await;
    let body = json!({"old_password": auth_tests::PASSWORD, "new_password": "Another-horse-43"});
    fixture.client.post("/api/users/me/password/", Some(&pair.access), body).await;
    fixture.run_with(&["users", "set-password", "alice", "--password-stdin"], "Another-horse-44").success();
    assert_eq!(listed(&fixture, &[]), Vec::<Vec<String>>::new());
    assert!(!fixture.server.dir().join("auth-data/mail").exists());
    assert!(fixture.server.log().contains("mail.transport: is \\\"none\\\""), "{}", fixture.server.log());
}
