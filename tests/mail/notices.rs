//! What people are told, and what nobody is.

use std::time::UNIX_EPOCH;

use auth_tests::server::ServerOptions;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::postbox::Letter;
use crate::reset::{RESET, all_so_far, at_once, in_turn};
use crate::stage::{NEW_PASSWORD, Stage, cases, challenge_of, texts};
use crate::support::{Answer, Database, PASSWORD, Pair};

const ALICE: &str = "alice@example.com";

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both:
        whatever_changes_an_account_is_told,
        a_reused_token_is_told_once_however_often_it_comes,
        a_notice_says_who_and_when,
        no_secret_is_in_a_log_a_list_or_another_mail,
        no_secret_is_in_the_database,
    )
}

impl Stage {
    /// The challenge and code with which somebody confirms something; by mail.
    async fn confirmation(&self, pair: &Pair, email: &str) -> (String, String) {
        let before = self.postbox.letters_to(email).len();
        let asked = self.api.post("/api/users/me/second-factors/challenge/", Some(&pair.access), json!({})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        let code = self.postbox.nth(email, before + 1).await.code().to_owned();
        (asked.field("challenge"), code)
    }

    async fn post_as(&self, pair: &Pair, path: &str, body: Value) -> Answer {
        let answer = self.api.post(path, Some(&pair.access), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer
    }
}

fn subjects(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.subject.strip_suffix(" app.example.com").unwrap_or(&letter.subject)).collect()
}

async fn whatever_changes_an_account_is_told(database: Database) {
    let stage = Stage::with(database, |options| in_turn(options).env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let pair = stage.api.newcomer("alice").await;
    let codes = stage.enrol_by_mail(&pair, ALICE).await;
    let challenge = challenge_of(&stage.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    stage.postbox.nth(ALICE, 3).await;
    let pair = Pair::of(&stage.answer(&challenge, &codes[0]).await);
    stage.postbox.nth(ALICE, 4).await;
    let (challenge, code) = stage.confirmation(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    stage.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    stage.postbox.nth(ALICE, 6).await;
    let (challenge, code) = stage.confirmation(&pair, ALICE).await;
    let body = json!({"method": "email", "password": PASSWORD, "challenge": challenge, "code": code});
    stage.post_as(&pair, "/api/users/me/second-factors/remove/", body).await;
    let pair = Pair::of(&stage.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    Pair::of(&stage.api.refresh(&pair.refresh).await);
    assert_eq!(stage.api.refresh(&pair.refresh).await.status, 401);
    let pair = Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
    let changed = stage.patch_me(&pair.access, json!({"email": "new@example.com"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    stage.forget("new@example.com").await;
    let reset = stage.postbox.with_subject("new@example.com", RESET).await;
    assert_eq!(stage.confirm_reset(reset.token(), PASSWORD).await.status, 200);

    let all = all_so_far(&stage).await;
    let (old, new): (Vec<_>, Vec<_>) = all.into_iter().partition(|letter| letter.to == [ALICE]);
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
    assert!(new.iter().all(|letter| letter.to == ["new@example.com"]));
    let mut ids: Vec<_> = old.iter().chain(&new).map(|letter| letter.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), old.len() + new.len(), "each mail has a name of its own");
}

async fn a_reused_token_is_told_once_however_often_it_comes(database: Database) {
    let stage = Stage::with(database, |options| in_turn(options).env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let (stolen, other) = (stage.api.newcomer("alice").await, stage.api.login("alice").await);
    let next = Pair::of(&stage.api.refresh(&stolen.refresh).await);
    let calls = (0..20).map(|_| {
        let (api, token) = (stage.api.clone(), stolen.refresh.clone());
        async move { api.refresh(&token).await.status.as_u16() }
    });
    assert_eq!(at_once(calls).await, [401; 20]);
    assert_eq!(stage.api.refresh(&next.refresh).await.status, 401, "the session has ended");
    for _ in 0..3 {
        assert_eq!(stage.api.refresh(&stolen.refresh).await.status, 401);
        assert_eq!(stage.api.refresh(&next.refresh).await.status, 401);
    }
    let told = all_so_far(&stage).await;
    assert_eq!(subjects(&told), ["A login at app.example.com was ended"]);
    // Each session for itself, and those that nobody stole go on.
    let kept = Pair::of(&stage.api.refresh(&other.refresh).await);
    assert_eq!(stage.api.me(&kept.access).await.status, 200);
    assert_eq!(stage.api.refresh(&other.refresh).await.status, 401);
    let told = all_so_far(&stage).await;
    assert_eq!(subjects(&told), ["A login at app.example.com was ended"; 2]);
    assert!(told.iter().all(|letter| letter.to == [ALICE]));
}

async fn a_notice_says_who_and_when(database: Database) {
    let stage = Stage::of(database);
    let pair = stage.api.newcomer("alice").await;
    let before = today();
    let request = stage.api.client.post(format!("{}/api/users/me/password/", stage.api.url));
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = request.header("User-Agent", "Tester 1").bearer_auth(&pair.access).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let notice = stage.postbox.nth(ALICE, 1).await;
    for part in [&notice.text, &notice.html] {
        for fact in ["Hello Al,", "Account: alice", "Network address: 127.0.0.1", "Program: Tester 1", "When: "] {
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

    fn keep_pair(&mut self, pair: &Pair) {
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
fn own(letter: &Letter) -> Vec<&str> {
    let token = letter.text.contains("token=").then(|| letter.token());
    let code = letter.subject.contains("Your code").then(|| letter.code());
    token.into_iter().chain(code).collect()
}

async fn no_secret_is_in_a_log_a_list_or_another_mail(database: Database) {
    let talkative = |options: ServerOptions| {
        let options = in_turn(options).env("AUTH__LOG__LEVEL", "debug").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0");
        options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional")
    };
    let stage = Stage::with(database, talkative);
    let mut secrets = Secrets::default();
    for password in [PASSWORD, NEW_PASSWORD, "Wrong-horse-42", "Later-battery-44"] {
        secrets.keep(password);
    }
    let pair = stage.api.newcomer("alice").await;
    secrets.keep_pair(&pair);
    stage.try_login("alice", "Wrong-horse-42").await;
    stage.postbox.nth(ALICE, 1).await;
    let codes = stage.enrol_by_mail(&pair, ALICE).await;
    codes.iter().for_each(|code| secrets.keep(code));
    let (challenge, code) = stage.confirmation(&pair, ALICE).await;
    secrets.keep(&challenge);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = stage.post_as(&pair, "/api/users/me/second-factors/", body).await;
    secrets.keep(&totp.field("secret"));
    secrets.keep(&totp.field("challenge"));
    let (challenge, code) = stage.confirmation(&pair, ALICE).await;
    let body = json!({"password": PASSWORD, "challenge": challenge, "code": code});
    let replaced = stage.post_as(&pair, "/api/users/me/second-factors/recovery-codes/", body).await;
    texts(&replaced.json()["recovery_codes"]).iter().for_each(|code| secrets.keep(code));
    let challenge = challenge_of(&stage.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    secrets.keep(&challenge);
    stage.answer(&challenge, "not-it").await;
    stage.answer(&challenge, &codes[0]).await;
    let reset = stage.reset_token(ALICE).await;
    stage.confirm_reset(&reset, "alice").await;
    assert_eq!(stage.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(stage.confirm_reset(&reset, "Later-battery-44").await.status, 400);
    all_so_far(&stage).await;
    let before = stage.postbox.letters_to(ALICE).len();
    let challenge = challenge_of(&stage.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    let code = stage.postbox.nth(ALICE, before + 1).await.code().to_owned();
    let pair = Pair::of(&stage.answer(&challenge, &code).await);
    secrets.keep(&challenge);
    secrets.keep_pair(&pair);
    let next = Pair::of(&stage.api.refresh(&pair.refresh).await);
    secrets.keep_pair(&next);
    assert_eq!(stage.api.refresh(&pair.refresh).await.status, 401);

    let letters = all_so_far(&stage).await;
    letters.iter().flat_map(own).for_each(|secret| secrets.keep(secret));
    assert!(letters.len() >= 10 && secrets.0.len() >= 35, "{} {}", letters.len(), secrets.0.len());
    for letter in &letters {
        for part in [&letter.raw, &letter.text, &letter.html, &letter.subject] {
            secrets.assert_none_in("a mail", part, &own(letter));
        }
    }
    // A mail that waits is as silent: in the list and in the log.
    stage.postbox.refuse("bob@example.com");
    stage.api.register("bob").await;
    all_so_far(&stage).await;
    let list = stage.server.run(["outbox", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("bob@example.com") && !list.contains("token="), "{list}");
    let log = stage.server.log();
    assert!(log.lines().count() > 20 && log.contains("refresh_token_reused"), "{log}");
    assert!(!log.contains("token="), "{log}");
    for (place, text) in [("the log", &log), ("the list", &list), ("the output", &stage.server.printed())] {
        secrets.assert_none_in(place, text, &[]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is stored: on SQLite the files as hex digits; on PostgreSQL rows as text, without the hyphens of names.
fn dump(stage: &Stage) -> String {
    match &stage.database {
        Database::Sqlite => {
            let file = |name| std::fs::read(stage.server.dir().join("auth-data").join(name)).expect("a file");
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
    let stage = Stage::with(database, |options| {
        let options = in_turn(options).env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
        options.env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100")
    });
    let pair = stage.api.newcomer("alice").await;
    stage.postbox.nth(ALICE, 1).await;
    let codes = stage.enrol_by_mail(&pair, ALICE).await;
    let (challenge, code) = stage.confirmation(&pair, ALICE).await;
    stage.postbox.set_stuck(true);
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let totp = stage.post_as(&pair, "/api/users/me/second-factors/", body).await;
    assert_eq!(stage.forget(ALICE).await.status, 202);
    tokio::task::block_in_place(|| stage.postbox.wait_for_a_waiting_one());
    // As somebody finds it who gets at it while the mail waits.
    let stored = tokio::task::block_in_place(|| dump(&stage));
    stage.postbox.set_stuck(false);
    let token = stage.postbox.with_subject(ALICE, RESET).await.token().to_owned();
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
    assert_eq!(stage.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
}
