//! A forgotten password: from the request to the login with the new one.

use std::future::Future;
use std::sync::Arc;

use auth_tests::server::ServerOptions;
use libtest_mimic::Trial;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::postbox::Letter;
use crate::stage::{BASE_URL, NEW_PASSWORD, Stage, cases, challenge_of};
use crate::support::{Answer, Database, PASSWORD, Pair};

/// What the subject of a mail with a link to reset a password says.
pub(crate) const RESET: &str = "Set a new password";

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both:
        a_reset_ends_every_session,
        nobody_is_told_whether_there_is_an_account,
        of_all_that_use_a_link_at_once_one_gets_through,
        a_newer_link_ends_the_older_one,
        a_refused_password_leaves_the_link_good,
        what_is_no_link_opens_nothing,
        a_link_is_good_for_what_it_was_made_for,
        only_one_address_is_taken,
        an_account_gets_so_many_mails_an_hour_and_nobody_can_tell,
        a_reset_ends_what_was_left_open,
        the_mail_goes_to_the_address_as_it_is_stored,
        whoever_was_locked_out_meanwhile_stays_out,
    )
}

/// One worker: what is caused later is sent later.
pub(crate) fn in_turn(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__MAIL__WORKERS", "1")
}

/// All mails that arrived for others, once whatever was caused so far has been looked into; of servers that work
/// [`in_turn`].
pub(crate) async fn all_so_far(stage: &Stage) -> Vec<Letter> {
    let name = format!("latecomer{}", stage.postbox.letters().len());
    let registered = stage.api.register(&name).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let address = format!("{name}@example.com");
    assert_eq!(stage.forget(&address).await.status, 202);
    stage.postbox.with_subject(&address, RESET).await;
    let letters = stage.postbox.letters().into_iter();
    letters.filter(|letter| !letter.to.iter().any(|to| to.starts_with("latecomer"))).collect()
}

/// Runs all of them, started at one moment; the results in the order of the calls.
pub(crate) async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for (place, call) in calls.into_iter().enumerate() {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            (place, call.await)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Panics unless it is a 400 that says of this field what is wrong.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, field: &str, message: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.json(), json!({field: [message]}));
}

#[track_caller]
pub(crate) fn assert_no_good(answer: &Answer) {
    assert_refused(answer, "token", "Token is invalid or expired.");
}

impl Stage {
    /// The token of the link that somebody gets who asks to reset a password.
    pub(crate) async fn reset_token(&self, email: &str) -> String {
        let is_link = |letter: &Letter| letter.subject.contains(RESET);
        let before = self.postbox.letters_to(email).into_iter().filter(is_link).count();
        assert_eq!(self.forget(email).await.status, 202);
        let mut count = self.postbox.letters_to(email).len().max(1);
        loop {
            self.postbox.nth(email, count).await;
            let mut links = self.postbox.letters_to(email).into_iter().filter(is_link);
            match links.nth(before) {
                Some(letter) => return letter.token().to_owned(),
                None => count = self.postbox.letters_to(email).len() + 1,
            }
        }
    }
}

async fn a_reset_ends_every_session(database: Database) {
    let stage = Stage::of(database);
    let (one, other) = (stage.api.newcomer("alice").await, stage.api.login("alice").await);
    let request = stage.api.client.post(format!("{}/api/password-reset/", stage.api.url));
    // Neither the Host nor a forwarded one gets into the link (SEC-092, SEC-114).
    let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
    let asked = Answer::of(request.json(&json!({"email": "ALICE@example.com"})).send().await.unwrap()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);

    let letter = stage.postbox.nth("alice@example.com", 1).await;
    assert!(letter.link().starts_with(BASE_URL) && !letter.raw.contains("evil"), "{}", letter.raw);
    let confirmed = stage.confirm_reset(letter.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"detail": "Password has been reset."}), "it logs nobody in");

    for pair in [one, other] {
        assert_eq!(stage.api.refresh(&pair.refresh).await.status, 401);
        assert_eq!(stage.api.me(&pair.access).await.status, 401);
    }
    assert_eq!(stage.try_login("alice", PASSWORD).await.status, 401);
    Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
    let again = stage.confirm_reset(letter.token(), PASSWORD).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json(), json!({"token": ["Token is invalid or expired."]}));
    assert!(stage.postbox.nth("alice@example.com", 2).await.subject.contains("password"));
}

async fn nobody_is_told_whether_there_is_an_account(database: Database) {
    let stage = Stage::with(database, in_turn);
    stage.api.register("alice").await;
    stage.api.register("bob").await;
    stage.server.users("deactivate", "bob");
    let known = stage.forget("alice@example.com").await;
    for email in ["nobody@example.com", "bob@example.com"] {
        let answer = stage.forget(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
    }
    // What was asked for after them is looked into after them.
    stage.api.register("carol").await;
    stage.forget("carol@example.com").await;
    stage.postbox.nth("carol@example.com", 1).await;
    let recipients: Vec<_> = stage.postbox.letters().into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(recipients, ["alice@example.com", "carol@example.com"]);
}

async fn of_all_that_use_a_link_at_once_one_gets_through(database: Database) {
    let stage = Stage::of(database);
    stage.api.register("alice").await;
    let token = stage.reset_token("alice@example.com").await;
    let wanted: Vec<_> = (0..8).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = wanted.clone().into_iter().map(|password| {
        let (api, body) = (stage.api.clone(), json!({"token": token, "new_password": password}));
        async move { api.post("/api/password-reset/confirm/", None, body).await }
    });
    let answers = at_once(calls).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().zip(&wanted).partition(|(answer, _)| answer.status == 200);
    assert_eq!(winners.len(), 1, "{answers:?}");
    losers.iter().for_each(|(answer, _)| assert_no_good(answer));
    Pair::of(&stage.try_login("alice", winners[0].1).await);
    for (_, password) in losers {
        assert_eq!(stage.try_login("alice", password).await.status, 401);
    }
}

async fn a_newer_link_ends_the_older_one(database: Database) {
    let stage = Stage::of(database);
    stage.api.register("alice").await;
    let older = stage.reset_token("alice@example.com").await;
    let newer = stage.reset_token("alice@example.com").await;
    assert_no_good(&stage.confirm_reset(&older, NEW_PASSWORD).await);
    assert_eq!(stage.confirm_reset(&newer, NEW_PASSWORD).await.status, 200);
}

async fn a_refused_password_leaves_the_link_good(database: Database) {
    let stage = Stage::of(database);
    let pair = stage.api.newcomer("alice.jones").await;
    let token = stage.reset_token("alice.jones@example.com").await;
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        assert_refused(&stage.confirm_reset(&token, password).await, "new_password", message);
    }
    let missing = stage.post("/api/password-reset/confirm/", json!({"token": token})).await;
    assert_refused(&missing, "new_password", "This field is required.");
    // Nothing has happened yet.
    assert_eq!(stage.api.me(&pair.access).await.status, 200);
    stage.api.login("alice.jones").await;
    assert_eq!(stage.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    Pair::of(&stage.try_login("alice.jones", NEW_PASSWORD).await);
}

async fn what_is_no_link_opens_nothing(database: Database) {
    let stage = Stage::of(database);
    let pair = stage.api.newcomer("alice").await;
    stage.api.register("bob").await;
    let good = stage.reset_token("alice@example.com").await;
    let bobs = stage.reset_token("bob@example.com").await;
    assert_eq!(good.len(), 96);
    let (head, last) = good.split_at(95);
    let altered = format!("{head}{}", if last == "0" { '1' } else { '0' });
    for token in [
        altered,
        good[..95].to_owned(),
        format!("{good}0"),
        good.to_uppercase(),
        // The name of one, the secret of another.
        format!("{}{}", &good[..32], &bobs[32..]),
        format!("{}{}", &bobs[..32], &good[32..]),
        "0".repeat(96),
        "é".repeat(48),
        "x".to_owned(),
        "' OR 1=1 --".to_owned(),
        good.repeat(300),
        pair.access.clone(),
        pair.refresh,
    ] {
        assert_no_good(&stage.confirm_reset(&token, NEW_PASSWORD).await);
        assert_no_good(&stage.verify(&token).await);
    }
    for token in [json!(""), json!(null), json!([good]), json!({"token": good}), json!(true)] {
        let answer = stage.post("/api/password-reset/confirm/", json!({"token": token, "new_password": "x"})).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.json()["token"].is_array(), "{}", answer.text);
    }
    // Nothing has happened, and both links are as good as before.
    assert_eq!(stage.api.me(&pair.access).await.status, 200);
    assert_eq!(stage.confirm_reset(&good, NEW_PASSWORD).await.status, 200);
    assert_eq!(stage.confirm_reset(&bobs, NEW_PASSWORD).await.status, 200);
}

async fn a_link_is_good_for_what_it_was_made_for(database: Database) {
    let stage = Stage::with(database, |options| options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional"));
    let pair = stage.api.newcomer("alice").await;
    let proof = stage.postbox.nth("alice@example.com", 1).await.token().to_owned();
    let reset = stage.reset_token("alice@example.com").await;
    let body = json!({"email": "new@example.com", "password": PASSWORD});
    assert_eq!(stage.patch_me(&pair.access, body).await.status, 200);
    let change = stage.postbox.nth("new@example.com", 1).await.token().to_owned();
    for token in [&proof, &change] {
        assert_no_good(&stage.confirm_reset(token, NEW_PASSWORD).await);
    }
    assert_no_good(&stage.verify(&reset).await);
    // A link is no challenge either.
    for token in [&proof, &reset, &change] {
        assert_eq!(stage.answer(token, "123456").await.status, 401);
    }
    // Each is still good for its own.
    assert_eq!(stage.verify(&proof).await.status, 200);
    assert_eq!(stage.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
}

async fn only_one_address_is_taken(database: Database) {
    let stage = Stage::with(database, in_turn);
    for name in ["alice", "mike"] {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    for email in [
        json!(["alice@example.com"]),
        json!(["alice@example.com", "eve@example.com"]),
        json!({"0": "alice@example.com"}),
        json!(null),
        json!(true),
        json!(""),
        json!("alice@example.com,eve@example.com"),
        json!("alice@example.com, eve@example.com"),
        json!("alice@example.com;eve@example.com"),
        json!("alice@example.com eve@example.com"),
        json!("<alice@example.com>"),
        json!("Alice <alice@example.com>"),
        json!("alice@example.com\r\nBcc: eve@example.com"),
        json!("alice@example.com\nBcc: eve@example.com"),
        json!("alice@example.com\r\n\r\nSay hello"),
        json!("alice\r\n@example.com"),
        json!("alice@example.com\u{0}"),
        // It is like mike@example.com where letter case is taken for granted (CVE-2019-19844).
        json!("m\u{131}ke@example.com"),
    ] {
        for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
            let answer = stage.post(path, json!({"email": email})).await;
            assert_eq!(answer.status, 400, "{path} {email}: {}", answer.text);
            assert!(answer.json()["email"].is_array(), "{}", answer.text);
        }
    }
    assert_refused(&stage.post("/api/password-reset/", json!({})).await, "email", "This field is required.");
    // Of two, the last one counts, and it alone. A blank at the edge makes no second one.
    let request = stage.api.client.post(format!("{}/api/password-reset/", stage.api.url));
    let twice = [("email", "alice@example.com"), ("email", "eve@example.com")];
    assert_eq!(Answer::of(request.form(&twice).send().await.unwrap()).await.status, 202);
    assert_eq!(stage.forget("mike@example.com\r\n").await.status, 202);
    let letters = all_so_far(&stage).await;
    let recipients: Vec<_> = letters.iter().map(|letter| &letter.to).collect();
    assert_eq!(recipients, [&["mike@example.com"]]);
    assert!(letters[0].raw.contains("\r\nTo: <mike@example.com>\r\n"), "{}", letters[0].raw);
}

async fn an_account_gets_so_many_mails_an_hour_and_nobody_can_tell(database: Database) {
    let limited = |options| in_turn(options).env("AUTH__THROTTLE__MAILS_PER_ACCOUNT_PER_HOUR", "2");
    let stage = Stage::with(database, limited);
    stage.api.register("alice").await;
    stage.api.register("bob").await;
    let mut told = Vec::new();
    for email in ["alice@example.com", "ALICE@example.com", "Alice@Example.com", "alice@example.com", "bob@example.com"]
    {
        let answer = stage.forget(email).await;
        told.push((answer.status.as_u16(), answer.text));
    }
    assert_eq!(told[0].0, 202);
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    let recipients: Vec<_> = all_so_far(&stage).await.into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(recipients, ["alice@example.com", "alice@example.com", "bob@example.com"]);
    // The last link that was sent is good, whatever was asked for after it.
    let last = stage.postbox.nth("alice@example.com", 2).await;
    assert_eq!(stage.confirm_reset(last.token(), NEW_PASSWORD).await.status, 200);
}

/// What somebody has open before a password is reset.
struct Open {
    reset: String,
    challenge: String,
    code: String,
    proof: String,
    change: String,
}

async fn open_all(stage: &Stage, name: &str) -> Open {
    let (email, other) = (format!("{name}@example.com"), format!("{name}.new@example.com"));
    let pair = stage.api.newcomer(name).await;
    let proof = stage.postbox.nth(&email, 1).await.token().to_owned();
    let changed = stage.patch_me(&pair.access, json!({"email": other, "password": PASSWORD})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let change = stage.postbox.nth(&other, 1).await.token().to_owned();
    // The notice of it.
    stage.postbox.nth(&email, 2).await;
    stage.enrol_by_mail(&pair, &email).await;
    let reset = stage.reset_token(&email).await;
    let before = stage.postbox.letters_to(&email).len();
    let challenge = challenge_of(&stage.try_login(name, PASSWORD).await, &["email", "recovery_code"]);
    let code = stage.postbox.nth(&email, before + 1).await.code().to_owned();
    Open { reset, challenge, code, proof, change }
}

async fn a_reset_ends_what_was_left_open(database: Database) {
    let stage = Stage::with(database, |options| options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional"));
    let alice = open_all(&stage, "alice").await;
    let bob = open_all(&stage, "bob").await;
    assert_eq!(stage.confirm_reset(&alice.reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(stage.answer(&alice.challenge, &alice.code).await.field("code"), "challenge_not_valid");
    assert_no_good(&stage.verify(&alice.proof).await);
    assert_no_good(&stage.verify(&alice.change).await);
    // The second factor is asked for as before.
    challenge_of(&stage.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    // Nobody else's.
    Pair::of(&stage.answer(&bob.challenge, &bob.code).await);
    assert_eq!(stage.verify(&bob.proof).await.status, 200);
    assert_eq!(stage.verify(&bob.change).await.status, 200);
}

async fn the_mail_goes_to_the_address_as_it_is_stored(database: Database) {
    let stage = Stage::of(database);
    let body = json!({
        "username": "alice", "email": "Alice.B@example.com", "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    let registered = stage.post("/api/register/", body).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(registered.field("email"), "Alice.B@example.com");
    assert_eq!(stage.forget("aLICE.b@eXAMPLE.COM").await.status, 202);
    let letter = stage.postbox.nth("Alice.B@example.com", 1).await;
    assert!(!letter.raw.contains("aLICE.b") && !letter.raw.contains("eXAMPLE"), "{}", letter.raw);
    assert_eq!(stage.confirm_reset(letter.token(), NEW_PASSWORD).await.status, 200);
}

async fn whoever_was_locked_out_meanwhile_stays_out(database: Database) {
    let stage = Stage::of(database);
    stage.api.register("alice").await;
    let token = stage.reset_token("alice@example.com").await;
    stage.server.users("deactivate", "alice");
    assert_no_good(&stage.confirm_reset(&token, NEW_PASSWORD).await);
    stage.server.users("activate", "alice");
    stage.api.login("alice").await;
}
