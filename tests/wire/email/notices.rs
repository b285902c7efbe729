//! Notices by email: which changes send one, and what they must not contain.

use std::time::UNIX_EPOCH;

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::run_concurrently;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, ServerOptions, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of, string_list};
use crate::email::password_reset::{RESET, all_delivered};

const ALICE: &str = "alice@example.com";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_notice_names_the_client_and_the_time;
        OnSqlite =>
            account_changes_send_notices,
            logs_lists_and_other_emails_contain_no_secrets;
        OnBothDatabases =>
            reuse_of_a_token_sends_one_notice_per_session,
            the_database_contains_no_secrets,
    ]
}

impl Fixture {
    /// Requests a challenge by email for reauthentication; returns it with its code.
    async fn reauthenticate_by_email(&self, pair: &TokenPair, email: &str) -> (String, String) {
        let before = self.received_to(email).len();
        let asked = self.client.post("/api/users/me/second-factors/challenge/", Some(&pair.access), json!({})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let code = self.wait_for_nth(email, before + 1).await.code().to_owned();
        (asked.field("challenge"), code)
    }

    async fn post_as(&self, pair: &TokenPair, path: &str, body: Value) -> Answer {
        let answer = self.client.post(path, Some(&pair.access), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer
    }
}

fn subjects(received: &[ReceivedEmail]) -> Vec<&str> {
    received
        .iter()
        .map(|message| message.subject.strip_suffix(" app.example.com").unwrap_or(&message.subject))
        .collect()
}

async fn account_changes_send_notices(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let pair = fixture.register_and_login("alice").await;
    let codes = fixture.enrol_email(&pair, ALICE).await;
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    fixture.wait_for_nth(ALICE, 3).await;
    let pair = TokenPair::of(&fixture.answer_challenge(&challenge, &codes[0]).await);
    fixture.wait_for_nth(ALICE, 4).await;
    let (challenge, code) = fixture.reauthenticate_by_email(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    fixture.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    fixture.wait_for_nth(ALICE, 6).await;
    let (challenge, code) = fixture.reauthenticate_by_email(&pair, ALICE).await;
    let body = json!({"method": "email", "password": PASSWORD, "challenge": challenge, "code": code});
    fixture.post_as(&pair, "/api/users/me/second-factors/remove/", body).await;
    let pair = TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);
    let pair = TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    let changed = fixture.patch_me(&pair.access, json!({"email": "new@example.com"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    fixture.request_reset("new@example.com").await;
    let reset = fixture.wait_for_subject("new@example.com", RESET).await;
    assert_eq!(fixture.confirm_reset(reset.token(), PASSWORD).await.status, 200);

    let all = all_delivered(&fixture).await;
    let (old, new): (Vec<_>, Vec<_>) = all.into_iter().partition(|message| message.to == [ALICE]);
    assert_eq!(
        subjects(&old),
        [
            "Your code for",
            "A second factor was added at",
            "Your code for",
            "A recovery code was used at",
            "Your code for",
            "New recovery codes at",
            "Your code for",
            "A second factor was removed at",
            "Your password for app.example.com was changed",
            "A login at app.example.com was ended",
            "Your email address at app.example.com was changed",
        ]
    );
    assert!(old[1].text.contains("codes by email") && old[7].text.contains("codes by email"));
    assert!(old[3].text.contains("There are 9 left"), "{}", old[3].text);
    assert_eq!(subjects(&new), ["Set a new password for", "Your password for app.example.com was changed"]);
    assert!(new.iter().all(|message| message.to == ["new@example.com"]));
    let mut ids: Vec<_> = old.iter().chain(&new).map(|message| message.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), old.len() + new.len(), "every email has its own message ID");
}

async fn reuse_of_a_token_sends_one_notice_per_session(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let (stolen, other) = (fixture.register_and_login("alice").await, fixture.login("alice").await);
    let next = TokenPair::of(&fixture.client.refresh(&stolen.refresh).await);
    let calls = (0..20).map(|_| {
        let (api, token) = (fixture.client.clone(), stolen.refresh.clone());
        async move { api.refresh(&token).await.status.as_u16() }
    });
    assert_eq!(run_concurrently(calls).await, [401; 20]);
    assert_eq!(fixture.client.refresh(&next.refresh).await.status, 401, "the session is revoked");
    for _ in 0..3 {
        assert_eq!(fixture.client.refresh(&stolen.refresh).await.status, 401);
        assert_eq!(fixture.client.refresh(&next.refresh).await.status, 401);
    }
    let notices = all_delivered(&fixture).await;
    assert_eq!(subjects(&notices), ["A login at app.example.com was ended"]);
    // One notice per session, and other sessions stay live until a token of theirs is reused.
    let kept = TokenPair::of(&fixture.client.refresh(&other.refresh).await);
    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 401);
    let notices = all_delivered(&fixture).await;
    assert_eq!(subjects(&notices), ["A login at app.example.com was ended"; 2]);
    assert!(notices.iter().all(|message| message.to == [ALICE]));
}

async fn a_notice_names_the_client_and_the_time(fixture: Fixture) {
    fixture.register("alice").await;
    fixture.mark_verified("alice");
    let pair = fixture.login("alice").await;
    let before = today();
    let request = fixture.client.http.post(format!("{}/api/users/me/password/", fixture.client.url));
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = request.header("User-Agent", "Tester 1").bearer_auth(&pair.access).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let notice = fixture.wait_for_nth(ALICE, 1).await;
    for part in [&notice.text, &notice.html] {
        for fact in [
            "Hello Al,",
            "Account: alice",
            &format!("IP address: {}", fixture.client_ip),
            "Program: Tester 1",
            "When: ",
        ] {
            assert!(part.contains(fact), "no {fact} in {part}");
        }
    }
    let when = notice.text.lines().find_map(|line| line.strip_prefix("When: ")).expect("a time");
    let is_of_today = [before, today()].iter().any(|day| when.starts_with(day));
    assert!(is_of_today && when.ends_with(" UTC"), "{when}");
}

/// Returns today's date in UTC, such as `2026-11-25`.
fn today() -> String {
    let since = UNIX_EPOCH.elapsed().expect("a clock");
    let now = mail_parser::DateTime::from_timestamp(since.as_secs().try_into().expect("a timestamp"));
    format!("{:04}-{:02}-{:02}", now.year, now.month, now.day)
}

/// Secrets that must not appear outside their place.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn keep(&mut self, secret: &str) {
        assert!(secret.len() >= 6, "{secret} is too short to search for");
        self.0.push(secret.to_owned());
    }

    fn keep_pair(&mut self, pair: &TokenPair) {
        for token in [&pair.access, &pair.refresh] {
            // The signature identifies the token.
            self.keep(token.rsplit('.').next().expect("a signature"));
        }
    }

    /// Panics if `text` contains a secret other than `own`. A 6-digit code must be a word of its own, because it may be part of
    /// a longer number.
    #[track_caller]
    fn assert_none_in(&self, place: &str, text: &str, own: &[&str]) {
        let is_code = |secret: &str| secret.bytes().all(|b| b.is_ascii_digit());
        for secret in self.0.iter().filter(|secret| !own.contains(&secret.as_str())) {
            let found = match is_code(secret) {
                true => text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == secret),
                false => text.contains(secret.as_str()),
            };
            assert!(!found, "{secret} in {place}: {text}");
        }
    }
}

/// Returns the secrets that an email is meant to carry: its link token or its code.
fn own(message: &ReceivedEmail) -> Vec<&str> {
    let token = message.text.contains("token=").then(|| message.token());
    let code = message.subject.contains("Your code").then(|| message.code());
    token.into_iter().chain(code).collect()
}

async fn logs_lists_and_other_emails_contain_no_secrets(database: Database) {
    let verbose = |options: ServerOptions| {
        let options = options.env("AUTH__LOG__LEVEL", "debug").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0");
        options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional")
    };
    let fixture = Fixture::with(database, verbose);
    let mut secrets = Secrets::default();
    for password in [PASSWORD, NEW_PASSWORD, "Wrong-horse-42", "Later-battery-44"] {
        secrets.keep(password);
    }
    let pair = fixture.register_and_login("alice").await;
    secrets.keep_pair(&pair);
    fixture.try_login("alice", "Wrong-horse-42").await;
    fixture.wait_for_nth(ALICE, 1).await;
    let codes = fixture.enrol_email(&pair, ALICE).await;
    codes.iter().for_each(|code| secrets.keep(code));
    let (challenge, code) = fixture.reauthenticate_by_email(&pair, ALICE).await;
    secrets.keep(&challenge);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = fixture.post_as(&pair, "/api/users/me/second-factors/", body).await;
    secrets.keep(&totp.field("secret"));
    secrets.keep(&totp.field("challenge"));
    let (challenge, code) = fixture.reauthenticate_by_email(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    let replaced = fixture.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    string_list(&replaced.json()["recovery_codes"]).iter().for_each(|code| secrets.keep(code));
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    secrets.keep(&challenge);
    fixture.answer_challenge(&challenge, "not-it").await;
    fixture.answer_challenge(&challenge, &codes[0]).await;
    let reset = fixture.reset_token(ALICE).await;
    fixture.confirm_reset(&reset, "alice").await;
    assert_eq!(fixture.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.confirm_reset(&reset, "Later-battery-44").await.status, 400);
    all_delivered(&fixture).await;
    let before = fixture.received_to(ALICE).len();
    let challenge = challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.wait_for_nth(ALICE, before + 1).await.code().to_owned();
    let pair = TokenPair::of(&fixture.answer_challenge(&challenge, &code).await);
    secrets.keep(&challenge);
    secrets.keep_pair(&pair);
    let next = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    secrets.keep_pair(&next);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);

    let received = all_delivered(&fixture).await;
    received.iter().flat_map(own).for_each(|secret| secrets.keep(secret));
    assert!(received.len() >= 10 && secrets.0.len() >= 35, "{} {}", received.len(), secrets.0.len());
    for message in &received {
        for part in [&message.raw, &message.text, &message.html, &message.subject] {
            secrets.assert_none_in("an email", part, &own(message));
        }
    }
    // Neither the list nor the log reveals the secrets of a waiting email.
    fixture.smtp.refuse("bob@example.com");
    fixture.register("bob").await;
    all_delivered(&fixture).await;
    let list = fixture.server.run(["outbox", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("bob@example.com") && !list.contains("token="), "{list}");
    let log = fixture.server.log();
    assert!(log.lines().count() > 20 && log.contains("refresh_token_reused"), "{log}");
    assert!(!log.contains("token="), "{log}");
    for (place, text) in [("the log", &log), ("the list", &list), ("the output", &fixture.server.stdout())] {
        secrets.assert_none_in(place, text, &[]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the stored data: on SQLite the files in hex, on PostgreSQL the rows as text without hyphens.
fn dump(fixture: &Fixture) -> String {
    match &fixture.database {
        Database::Sqlite(folder) => {
            let file = |name| std::fs::read(folder.path().join(name)).expect("a file");
            hex(&file("auth.sqlite3")) + &hex(&file("auth.sqlite3-wal"))
        }
        Database::Postgres(database) => {
            let tables = database.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
            let rows = tables.lines().map(|table| database.psql(&format!("SELECT t::text FROM {table} t")));
            rows.collect::<String>().replace('-', "")
        }
    }
}

async fn the_database_contains_no_secrets(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
        options.env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100")
    });
    let pair = fixture.register_and_login("alice").await;
    fixture.wait_for_nth(ALICE, 1).await;
    let codes = fixture.enrol_email(&pair, ALICE).await;
    let (challenge, code) = fixture.reauthenticate_by_email(&pair, ALICE).await;
    fixture.smtp.set_stalled(true);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = fixture.post_as(&pair, "/api/users/me/second-factors/", body).await;
    assert_eq!(fixture.request_reset(ALICE).await.status, 202);
    tokio::task::block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    // The state that an attacker would see while the email waits.
    let stored = tokio::task::block_in_place(|| dump(&fixture));
    fixture.smtp.set_stalled(false);
    let token = fixture.wait_for_subject(ALICE, RESET).await.token().to_owned();
    // The ID of the one-time code and other public values are found, so the search works.
    let found = |text: &str| stored.contains(text) || stored.contains(&hex(text.as_bytes()));
    assert!(found(&token[..32]) && found(ALICE) && found("password_reset"));
    let totp = totp.field("secret");
    let last = |token: &str| token.rsplit('.').next().expect("a signature").to_owned();
    let tokens = [last(&pair.access), last(&pair.refresh)];
    for secret in [PASSWORD, &token, &token[32..], &challenge, &challenge[32..], &totp, &tokens[0], &tokens[1]] {
        assert!(!found(secret), "{secret}");
    }
    for code in codes {
        assert!(!found(&code) && !found(&code.replace('-', "")), "{code}");
    }
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}
