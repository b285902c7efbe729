//! Notices by email: which changes cause one, and what they never contain.

use std::time::UNIX_EPOCH;

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::at_once;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, ServerOptions, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of, texts};
use crate::email::password_reset::{RESET, all_so_far};

const ALICE: &str = "alice@example.com";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_notice_says_who_and_when;
        OnSqlite =>
            whatever_changes_an_account_is_told,
            no_secret_is_in_a_log_a_list_or_another_mail;
        OnBothDatabases =>
            a_reused_token_is_told_once_however_often_it_comes,
            no_secret_is_in_the_database,
    ]
}

impl Fixture {
    /// The challenge and code with which somebody confirms something; by mail.
    async fn confirmation(&self, pair: &TokenPair, email: &str) -> (String, String) {
        let before = self.received_to(email).len();
        let asked = self.client.post("/api/users/me/second-factors/challenge/", Some(&pair.access), json!({})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let code = self.nth(email, before + 1).await.code().to_owned();
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

async fn whatever_changes_an_account_is_told(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let pair = fixture.newcomer("alice").await;
    let codes = fixture.enrol_by_mail(&pair, ALICE).await;
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    fixture.nth(ALICE, 3).await;
    let pair = TokenPair::of(&fixture.answer(&challenge, &codes[0]).await);
    fixture.nth(ALICE, 4).await;
    let (challenge, code) = fixture.confirmation(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    fixture.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    fixture.nth(ALICE, 6).await;
    let (challenge, code) = fixture.confirmation(&pair, ALICE).await;
    let body = json!({"method": "email", "password": PASSWORD, "challenge": challenge, "code": code});
    fixture.post_as(&pair, "/api/users/me/second-factors/remove/", body).await;
    let pair = TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);
    let pair = TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    let changed = fixture.patch_me(&pair.access, json!({"email": "new@example.com"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    fixture.forget("new@example.com").await;
    let reset = fixture.with_subject("new@example.com", RESET).await;
    assert_eq!(fixture.confirm_reset(reset.token(), PASSWORD).await.status, 200);

    let all = all_so_far(&fixture).await;
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
            "Your address at app.example.com was changed",
        ]
    );
    assert!(old[1].text.contains("codes by e-mail") && old[7].text.contains("codes by e-mail"));
    assert!(old[3].text.contains("There are 9 left"), "{}", old[3].text);
    assert_eq!(subjects(&new), ["Set a new password for", "Your password for app.example.com was changed"]);
    assert!(new.iter().all(|message| message.to == ["new@example.com"]));
    let mut ids: Vec<_> = old.iter().chain(&new).map(|message| message.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), old.len() + new.len(), "each mail has a name of its own");
}

async fn a_reused_token_is_told_once_however_often_it_comes(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let (stolen, other) = (fixture.newcomer("alice").await, fixture.login("alice").await);
    let next = TokenPair::of(&fixture.client.refresh(&stolen.refresh).await);
    let calls = (0..20).map(|_| {
        let (api, token) = (fixture.client.clone(), stolen.refresh.clone());
        async move { api.refresh(&token).await.status.as_u16() }
    });
    assert_eq!(at_once(calls).await, [401; 20]);
    assert_eq!(fixture.client.refresh(&next.refresh).await.status, 401, "the session has ended");
    for _ in 0..3 {
        assert_eq!(fixture.client.refresh(&stolen.refresh).await.status, 401);
        assert_eq!(fixture.client.refresh(&next.refresh).await.status, 401);
    }
    let told = all_so_far(&fixture).await;
    assert_eq!(subjects(&told), ["A login at app.example.com was ended"]);
    // Each session for itself, and those that nobody stole go on.
    let kept = TokenPair::of(&fixture.client.refresh(&other.refresh).await);
    assert_eq!(fixture.client.me(&kept.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 401);
    let told = all_so_far(&fixture).await;
    assert_eq!(subjects(&told), ["A login at app.example.com was ended"; 2]);
    assert!(told.iter().all(|message| message.to == [ALICE]));
}

async fn a_notice_says_who_and_when(fixture: Fixture) {
    fixture.register("alice").await;
    fixture.mark_verified("alice");
    let pair = fixture.login("alice").await;
    let before = today();
    let request = fixture.client.http.post(format!("{}/api/users/me/password/", fixture.client.url));
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = request.header("User-Agent", "Tester 1").bearer_auth(&pair.access).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let notice = fixture.nth(ALICE, 1).await;
    for part in [&notice.text, &notice.html] {
        for fact in [
            "Hello Al,",
            "Account: alice",
            &format!("Network address: {}", fixture.client_ip),
            "Program: Tester 1",
            "When: ",
        ] {
            assert!(part.contains(fact), "no {fact} in {part}");
        }
    }
    let when = notice.text.lines().find_map(|line| line.strip_prefix("When: ")).expect("a moment");
    let is_of_today = [before, today()].iter().any(|day| when.starts_with(day));
    assert!(is_of_today && when.ends_with(" UTC"), "{when}");
}

/// The day that it is, in UTC, as `2026-11-25`.
fn today() -> String {
    let since = UNIX_EPOCH.elapsed().expect("a clock");
    let now = mail_parser::DateTime::from_timestamp(since.as_secs().try_into().expect("a moment"));
    format!("{:04}-{:02}-{:02}", now.year, now.month, now.day)
}

/// Something that nobody may find where it does not belong.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn keep(&mut self, secret: &str) {
        assert!(secret.len() >= 6, "{secret} may stand anywhere");
        self.0.push(secret.to_owned());
    }

    fn keep_pair(&mut self, pair: &TokenPair) {
        for token in [&pair.access, &pair.refresh] {
            // The signature is what makes it one.
            self.keep(token.rsplit('.').next().expect("a signature"));
        }
    }

    /// A text of digits may stand in a longer number by chance; alone it is a code.
    #[track_caller]
    fn assert_none_in(&self, place: &str, text: &str, own: &[&str]) {
        let is_code = |secret: &str| secret.bytes().all(|b| b.is_ascii_digit());
        for secret in self.0.iter().filter(|secret| !own.contains(&secret.as_str())) {
            let is_there = match is_code(secret) {
                true => text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == secret),
                false => text.contains(secret.as_str()),
            };
            assert!(!is_there, "{secret} in {place}: {text}");
        }
    }
}

/// What a mail is there to bring: the token of its link, or its code.
fn own(message: &ReceivedEmail) -> Vec<&str> {
    let token = message.text.contains("token=").then(|| message.token());
    let code = message.subject.contains("Your code").then(|| message.code());
    token.into_iter().chain(code).collect()
}

async fn no_secret_is_in_a_log_a_list_or_another_mail(database: Database) {
    let talkative = |options: ServerOptions| {
        let options = options.env("AUTH__LOG__LEVEL", "debug").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0");
        options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional")
    };
    let fixture = Fixture::with(database, talkative);
    let mut secrets = Secrets::default();
    for password in [PASSWORD, NEW_PASSWORD, "Wrong-horse-42", "Later-battery-44"] {
        secrets.keep(password);
    }
    let pair = fixture.newcomer("alice").await;
    secrets.keep_pair(&pair);
    fixture.try_login("alice", "Wrong-horse-42").await;
    fixture.nth(ALICE, 1).await;
    let codes = fixture.enrol_by_mail(&pair, ALICE).await;
    codes.iter().for_each(|code| secrets.keep(code));
    let (challenge, code) = fixture.confirmation(&pair, ALICE).await;
    secrets.keep(&challenge);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = fixture.post_as(&pair, "/api/users/me/second-factors/", body).await;
    secrets.keep(&totp.field("secret"));
    secrets.keep(&totp.field("challenge"));
    let (challenge, code) = fixture.confirmation(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    let replaced = fixture.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    texts(&replaced.json()["recovery_codes"]).iter().for_each(|code| secrets.keep(code));
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    secrets.keep(&challenge);
    fixture.answer(&challenge, "not-it").await;
    fixture.answer(&challenge, &codes[0]).await;
    let reset = fixture.reset_token(ALICE).await;
    fixture.confirm_reset(&reset, "alice").await;
    assert_eq!(fixture.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.confirm_reset(&reset, "Later-battery-44").await.status, 400);
    all_so_far(&fixture).await;
    let before = fixture.received_to(ALICE).len();
    let challenge = challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.nth(ALICE, before + 1).await.code().to_owned();
    let pair = TokenPair::of(&fixture.answer(&challenge, &code).await);
    secrets.keep(&challenge);
    secrets.keep_pair(&pair);
    let next = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    secrets.keep_pair(&next);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);

    let received = all_so_far(&fixture).await;
    received.iter().flat_map(own).for_each(|secret| secrets.keep(secret));
    assert!(received.len() >= 10 && secrets.0.len() >= 35, "{} {}", received.len(), secrets.0.len());
    for message in &received {
        for part in [&message.raw, &message.text, &message.html, &message.subject] {
            secrets.assert_none_in("a mail", part, &own(message));
        }
    }
    // A mail that waits is as silent: in the list and in the log.
    fixture.smtp.refuse("bob@example.com");
    fixture.register("bob").await;
    all_so_far(&fixture).await;
    let list = fixture.server.run(["outbox", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("bob@example.com") && !list.contains("token="), "{list}");
    let log = fixture.server.log();
    assert!(log.lines().count() > 20 && log.contains("refresh_token_reused"), "{log}");
    assert!(!log.contains("token="), "{log}");
    for (place, text) in [("the log", &log), ("the list", &list), ("the output", &fixture.server.printed())] {
        secrets.assert_none_in(place, text, &[]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is stored: on SQLite the files as hex digits; on PostgreSQL rows as text, without the hyphens of names.
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

async fn no_secret_is_in_the_database(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
        options.env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100")
    });
    let pair = fixture.newcomer("alice").await;
    fixture.nth(ALICE, 1).await;
    let codes = fixture.enrol_by_mail(&pair, ALICE).await;
    let (challenge, code) = fixture.confirmation(&pair, ALICE).await;
    fixture.smtp.set_stalled(true);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = fixture.post_as(&pair, "/api/users/me/second-factors/", body).await;
    assert_eq!(fixture.forget(ALICE).await.status, 202);
    tokio::task::block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    // As somebody finds it who gets at it while the mail waits.
    let stored = tokio::task::block_in_place(|| dump(&fixture));
    fixture.smtp.set_stalled(false);
    let token = fixture.with_subject(ALICE, RESET).await.token().to_owned();
    // The name of the link is there, and so is what is no secret: this is the place to look.
    let is_there = |text: &str| stored.contains(text) || stored.contains(&hex(text.as_bytes()));
    assert!(is_there(&token[..32]) && is_there(ALICE) && is_there("password_reset"));
    let totp = totp.field("secret");
    let last = |token: &str| token.rsplit('.').next().expect("a signature").to_owned();
    let tokens = [last(&pair.access), last(&pair.refresh)];
    for secret in [PASSWORD, &token, &token[32..], &challenge, &challenge[32..], &totp, &tokens[0], &tokens[1]] {
        assert!(!is_there(secret), "{secret}");
    }
    for code in codes {
        assert!(!is_there(&code) && !is_there(&code.replace('-', "")), "{code}");
    }
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}
