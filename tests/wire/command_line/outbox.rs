//! `outbox …`: what waits, what was given up, and another try.

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
            what_was_sent_is_in_the_outbox_no_more,
            what_was_given_up_is_listed_until_it_is_tried_again;
        Once =>
            an_outbox_of_any_length_is_listed_whole,
            nothing_in_a_list_is_obeyed_by_a_terminal,
            a_person_is_told_where_the_mails_are,
            servers_that_send_no_mail_put_none_in
    ]
}

const NOBODY: &str = "0123456789abcdef0123456789abcdef";

/// What `outbox list` prints below its titles, in columns of words.
fn listed(fixture: &Fixture, args: &[&str]) -> Vec<Vec<String>> {
    let said = fixture.run(&[&["outbox", "list"], args].concat());
    let mut rows = said.done().lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let titles = rows.next().expect("titles");
    assert_eq!(titles, ["id", "kind", "to", "queued", "attempts", "state", "last", "error"]);
    rows.collect()
}

/// Looks until what is found is good; panics if that takes far too long.
async fn until<T: Debug>(look: impl Fn() -> T, is_good: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = look();
        if is_good(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "still {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn mails(fixture: &Fixture) -> Vec<PathBuf> {
    let folder = fixture.server.dir().join("auth-data/mail").read_dir().expect("a folder of mails");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

/// A mail server that nobody is at home at: each mail is given up after one attempt.
fn unreachable(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__MAIL__TRANSPORT", "smtp").env("AUTH__MAIL__SMTP_HOST", "127.0.0.1");
    let options = options.env("AUTH__MAIL__SMTP_PORT", "1").env("AUTH__MAIL__SMTP_TLS", "none");
    let options = options.env("AUTH__MAIL__BASE_URL", "https://app.example").env("AUTH__MAIL__MAX_ATTEMPTS", "1");
    options.env("AUTH__MAIL__FROM", "Example <no-reply@app.example>")
}

async fn what_was_sent_is_in_the_outbox_no_more(database: Database) {
    let fixture = Fixture::new(database, "development");
    assert_eq!(listed(&fixture, &[]), Vec::<Vec<String>>::new());
    fixture.client.newcomer("alice").await;
    until(|| fixture.server.log(), |log| log.contains(".eml")).await;
    let written = mails(&fixture);
    let text = std::fs::read_to_string(&written[0]).unwrap();
    assert!(
        text.contains("alice@example.com") && text.contains(&format!("{}/email/verify/?token=", fixture.client.url))
    );
    until(|| listed(&fixture, &[]), Vec::is_empty).await;
    assert_eq!(fixture.run(&["outbox", "retry", "--all"]).done(), "due again: 0\n");
    let name = written[0].file_name().unwrap().to_str().unwrap();
    until(|| fixture.server.log(), |log| log.contains(name)).await;
}

async fn what_was_given_up_is_listed_until_it_is_tried_again(database: Database) {
    let options = unreachable(database.server("development"));
    let fixture = Fixture::with(database, options);
    fixture.client.newcomer("alice").await;
    let failed = until(|| listed(&fixture, &["--failed"]), |rows| rows.len() == 1).await;
    let [id, kind, to, queued, attempts, state, failed_at, error @ ..] = &failed[0][..] else { panic!("{failed:?}") };
    assert_eq!([kind, to, attempts, state], ["email_verification", "alice@example.com", "1", "failed"]);
    assert!(queued.ends_with('Z') && failed_at >= queued, "{failed:?}");
    assert!(error.join(" ").contains("127.0.0.1"), "{failed:?}");
    assert_eq!(listed(&fixture, &[]), failed);
    until(|| fixture.server.log(), |log| log.contains("an email was given up") && log.contains(id)).await;

    // It fails again, as often as it is tried.
    let warnings = || fixture.server.log().matches("an email was given up").count();
    for (tries, args) in [(2, ["outbox", "retry", id]), (3, ["outbox", "retry", "--all"])] {
        assert_eq!(fixture.run(&args).done(), "due again: 1\n");
        until(warnings, |found| *found == tries).await;
        until(|| listed(&fixture, &["--failed"]), |rows| rows.len() == 1).await;
    }
    for (args, missing) in [
        (&[NOBODY][..], &[NOBODY][..]),
        (&["nothing"], &["nothing"]),
        (&["", "../auth", "'; DROP TABLE outbox"], &["\"\"", "../auth", "DROP TABLE"]),
        (&[id.as_str(), NOBODY], &[NOBODY, "due again: 1"]),
    ] {
        let said = fixture.run(&[&["outbox", "retry"], args].concat());
        let line = said.failed();
        assert!(missing.iter().all(|name| line.contains(name)), "{line}");
    }
    until(warnings, |found| *found == 4).await;
    until(|| listed(&fixture, &[]), |rows| rows.len() == 1).await;
}

/// So many mails of nobody's that were given up, past the program; SQLite only.
fn give_up(fixture: &Fixture, count: usize, recipient: &str) {
    fixture.database.execute(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
             INSERT INTO outbox (id, kind, recipient, content, queued_at, attempts, failed_at, last_error) \
             SELECT randomblob(16), 'password_changed', '{recipient}', x'00', unixepoch() * 1000000, 1, \
             unixepoch() * 1000000, 'no {recipient}' FROM numbers"
    ));
}

async fn an_outbox_of_any_length_is_listed_whole() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    give_up(&fixture, 1_234, "a@example.com");
    for args in [&[][..], &["--failed"]] {
        let rows = listed(&fixture, args);
        let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!((rows.len(), ids.len()), (1_234, 1_234));
    }
    assert_eq!(fixture.run(&["outbox", "retry", "--all"]).done(), "due again: 1234\n");
}

async fn nothing_in_a_list_is_obeyed_by_a_terminal() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    give_up(&fixture, 1, "a\u{1b}]0;owned\u{7}\r\n\u{202e}b@example.com");
    let said = fixture.run(&["outbox", "list"]);
    assert_eq!(said.done().lines().count(), 2, "{said}");
    let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!said.result.contains(is_obeyed) && said.result.contains("owned"), "{said}");
}

async fn a_person_is_told_where_the_mails_are() {
    let options = ServerOptions::new("development", None).env("AUTH__LOG__FORMAT", "text");
    let fixture = Fixture::with(Database::sqlite(), options);
    let printed = until(|| fixture.server.printed(), |printed| printed.contains("Try it:")).await;
    assert!(printed.contains("\nMails in      auth-data/mail\n"), "{printed}");
}

async fn servers_that_send_no_mail_put_none_in() {
    let options = ServerOptions::new("development", None).env("AUTH__MAIL__TRANSPORT", "none");
    let fixture = Fixture::with(Database::sqlite(), options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off"));
    let pair = fixture.client.newcomer("alice").await;
    let body = json!({"old_password": auth_tests::PASSWORD, "new_password": "Another-horse-43"});
    fixture.client.post("/api/users/me/password/", Some(&pair.access), body).await;
    fixture.run_with(&["users", "set-password", "alice", "--password-stdin"], "Another-horse-44").done();
    assert_eq!(listed(&fixture, &[]), Vec::<Vec<String>>::new());
    assert!(!fixture.server.dir().join("auth-data/mail").exists());
    assert!(fixture.server.log().contains("mail.transport: is \\\"none\\\""), "{}", fixture.server.log());
}
