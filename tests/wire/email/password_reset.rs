//! A forgotten password: from the request to the login with the new one.

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{at_once, eventually};
use auth_tests::server::BASE_URL;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

/// What the subject of a mail with a link to reset a password says.
pub(crate) const RESET: &str = "Set a new password";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_reset_ends_every_session,
            nobody_is_told_whether_there_is_an_account,
            of_all_that_use_a_link_at_once_one_gets_through,
            one_use_ends_every_link,
            a_refused_password_leaves_the_link_good,
            what_is_no_link_opens_nothing,
            the_mail_goes_to_the_address_as_it_is_stored,
            whoever_was_locked_out_meanwhile_stays_out;
        servers.off_postgres =>
            of_all_that_use_a_link_at_once_one_gets_through;
        servers.optional =>
            a_link_is_good_for_what_it_was_made_for,
            a_reset_ends_what_was_left_open;
        OnSqlite =>
            only_one_address_is_taken;
        OnBothDatabases =>
            strangers_who_ask_cannot_keep_the_owner_from_a_link,
    ]
}

/// All emails that arrived, once nothing to an address of this case waits any more.
pub(crate) async fn all_so_far(fixture: &Fixture) -> Vec<ReceivedEmail> {
    eventually("the outbox is empty", async || fixture.waiting() == 0).await;
    fixture.received()
}

#[track_caller]
pub(crate) fn assert_no_good(answer: &Answer) {
    answer.refuses("token", "Token is invalid or expired.");
}

impl Fixture {
    /// The token of the link that somebody gets who asks to reset a password.
    pub(crate) async fn reset_token(&self, email: &str) -> String {
        let is_link = |message: &ReceivedEmail| message.subject.contains(RESET);
        let before = self.received_to(email).into_iter().filter(is_link).count();
        assert_eq!(self.forget(email).await.status, 202);
        let mut count = self.received_to(email).len().max(1);
        loop {
            self.nth(email, count).await;
            let mut links = self.received_to(email).into_iter().filter(is_link);
            match links.nth(before) {
                Some(message) => return message.token().to_owned(),
                None => count = self.received_to(email).len() + 1,
            }
        }
    }
}

async fn a_reset_ends_every_session(fixture: Fixture) {
    let (one, other) = (fixture.newcomer("alice").await, fixture.login("alice").await);
    let request = fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url));
    // Neither the Host nor a forwarded one gets into the link (SEC-092, SEC-114).
    let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
    let asked =
        Answer::of(request.json(&json!({"email": fixture.own("ALICE@example.com")})).send().await.unwrap()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);

    let message = fixture.nth("alice@example.com", 1).await;
    assert!(message.link().starts_with(BASE_URL) && !message.raw.contains("evil"), "{}", message.raw);
    let confirmed = fixture.confirm_reset(message.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"detail": "Password has been reset."}), "it logs nobody in");

    for pair in [one, other] {
        assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);
        assert_eq!(fixture.client.me(&pair.access).await.status, 401);
    }
    assert_eq!(fixture.try_login("alice", PASSWORD).await.status, 401);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    let again = fixture.confirm_reset(message.token(), PASSWORD).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json(), json!({"token": ["Token is invalid or expired."]}));
    assert!(fixture.nth("alice@example.com", 2).await.subject.contains("password"));
}

async fn nobody_is_told_whether_there_is_an_account(fixture: Fixture) {
    fixture.register("alice").await;
    fixture.register("bob").await;
    fixture.users("deactivate", "bob");
    let known = fixture.forget("alice@example.com").await;
    for email in ["nobody@example.com", "bob@example.com"] {
        let answer = fixture.forget(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
    }
    // What was asked for after them is looked into after them.
    fixture.register("carol").await;
    fixture.forget("carol@example.com").await;
    fixture.nth("carol@example.com", 1).await;
    let recipients: Vec<_> = fixture.received().into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients, ["alice@example.com", "carol@example.com"]);
}

async fn of_all_that_use_a_link_at_once_one_gets_through(fixture: Fixture) {
    fixture.register("alice").await;
    let token = fixture.reset_token("alice@example.com").await;
    let wanted: Vec<_> = (0..8).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = wanted.clone().into_iter().map(|password| {
        let (api, body) = (fixture.client.clone(), json!({"token": token, "new_password": password}));
        async move { api.post("/api/password-reset/confirm/", None, body).await }
    });
    let answers = at_once(calls).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().zip(&wanted).partition(|(answer, _)| answer.status == 200);
    assert_eq!(winners.len(), 1, "{answers:?}");
    losers.iter().for_each(|(answer, _)| assert_no_good(answer));
    TokenPair::of(&fixture.try_login("alice", winners[0].1).await);
    for (_, password) in losers {
        assert_eq!(fixture.try_login("alice", password).await.status, 401);
    }
}

async fn one_use_ends_every_link(fixture: Fixture) {
    fixture.register("alice").await;
    let older = fixture.reset_token("alice@example.com").await;
    fixture.age_codes("alice", 300);
    let newer = fixture.reset_token("alice@example.com").await;
    assert_eq!(fixture.confirm_reset(&older, NEW_PASSWORD).await.status, 200, "the newer one does not end it");
    for used in [older, newer] {
        assert_no_good(&fixture.confirm_reset(&used, NEW_PASSWORD).await);
    }
}

async fn a_refused_password_leaves_the_link_good(fixture: Fixture) {
    let pair = fixture.newcomer("alice.jones").await;
    let token = fixture.reset_token("alice.jones@example.com").await;
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        fixture.confirm_reset(&token, password).await.refuses("new_password", message);
    }
    let missing = fixture.post("/api/password-reset/confirm/", json!({"token": token})).await;
    missing.refuses("new_password", "This field is required.");
    // Nothing has happened yet.
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    fixture.login("alice.jones").await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice.jones", NEW_PASSWORD).await);
}

async fn what_is_no_link_opens_nothing(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    fixture.register("bob").await;
    let good = fixture.reset_token("alice@example.com").await;
    let bobs = fixture.reset_token("bob@example.com").await;
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
        assert_no_good(&fixture.confirm_reset(&token, NEW_PASSWORD).await);
        assert_no_good(&fixture.verify(&token).await);
    }
    for token in [json!(""), json!(null), json!([good]), json!({"token": good}), json!(true)] {
        let answer = fixture.post("/api/password-reset/confirm/", json!({"token": token, "new_password": "x"})).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.json()["token"].is_array(), "{}", answer.text);
    }
    // Nothing has happened, and both links are as good as before.
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(fixture.confirm_reset(&good, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.confirm_reset(&bobs, NEW_PASSWORD).await.status, 200);
}

async fn a_link_is_good_for_what_it_was_made_for(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let proof = fixture.nth("alice@example.com", 1).await.token().to_owned();
    let reset = fixture.reset_token("alice@example.com").await;
    let body = json!({"email": fixture.own("new@example.com"), "password": PASSWORD});
    assert_eq!(fixture.patch_me(&pair.access, body).await.status, 200);
    let change = fixture.nth("new@example.com", 1).await.token().to_owned();
    for token in [&proof, &change] {
        assert_no_good(&fixture.confirm_reset(token, NEW_PASSWORD).await);
    }
    assert_no_good(&fixture.verify(&reset).await);
    // A link is no challenge either.
    for token in [&proof, &reset, &change] {
        assert_eq!(fixture.answer(token, "123456").await.status, 401);
    }
    // Each is still good for its own.
    assert_eq!(fixture.verify(&proof).await.status, 200);
    assert_eq!(fixture.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
}

async fn only_one_address_is_taken(database: Database) {
    let fixture = Fixture::of(database);
    for name in ["alice", "mike"] {
        assert_eq!(fixture.register(name).await.status, 201);
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
            let answer = fixture.post(path, json!({"email": email})).await;
            assert_eq!(answer.status, 400, "{path} {email}: {}", answer.text);
            assert!(answer.json()["email"].is_array(), "{}", answer.text);
        }
    }
    fixture.post("/api/password-reset/", json!({})).await.refuses("email", "This field is required.");
    // Of two, the last one counts, and it alone. A blank at the edge makes no second one.
    let request = fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url));
    let twice = [("email", "alice@example.com"), ("email", "eve@example.com")];
    assert_eq!(Answer::of(request.form(&twice).send().await.unwrap()).await.status, 202);
    assert_eq!(fixture.forget("mike@example.com\r\n").await.status, 202);
    let received = all_so_far(&fixture).await;
    let recipients: Vec<_> = received.iter().map(|message| &message.to).collect();
    assert_eq!(recipients, [&["mike@example.com"]]);
    let to = format!("\r\nTo: <{}>\r\n", fixture.own("mike@example.com"));
    assert!(received[0].raw.contains(&to), "{}", received[0].raw);
}

async fn strangers_who_ask_cannot_keep_the_owner_from_a_link(database: Database) {
    let fixture = Fixture::of(database);
    let alice = "alice@example.com";
    fixture.register("alice").await;
    fixture.register("bob").await;
    let mut told = Vec::new();
    for email in [alice, "ALICE@example.com", "Alice@Example.com", alice, alice, alice, "bob@example.com"] {
        let answer = fixture.forget(email).await;
        told.push((answer.status.as_u16(), answer.text));
    }
    assert_eq!(told[0].0, 202);
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    let recipients = async || {
        let received = all_so_far(&fixture).await;
        received.into_iter().flat_map(|message| message.to).collect::<Vec<_>>()
    };
    assert_eq!(recipients().await, [alice, "bob@example.com"]);
    // Another link after five minutes.
    fixture.age_codes("alice", 300);
    for _ in 0..2 {
        assert_eq!(fixture.forget(alice).await.status, 202);
    }
    assert_eq!(recipients().await, [alice, "bob@example.com", alice]);
    // Their time is over, the hour is not: the owner gets one at once.
    fixture.age_codes("alice", 30 * 60);
    let token = fixture.reset_token(alice).await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    // It was used: the same.
    fixture.reset_token(alice).await;
}

/// What somebody has open before a password is reset.
struct Open {
    reset: String,
    challenge: String,
    code: String,
    proof: String,
    change: String,
}

async fn open_all(fixture: &Fixture, name: &str) -> Open {
    let (email, other) = (format!("{name}@example.com"), format!("{name}.new@example.com"));
    let pair = fixture.newcomer(name).await;
    let proof = fixture.nth(&email, 1).await.token().to_owned();
    fixture.enrol_by_mail(&pair, &email).await;
    let before = fixture.received_to(&email).len();
    let asked = fixture.client.post("/api/users/me/second-factors/challenge/", Some(&pair.access), json!({})).await;
    let code = fixture.nth(&email, before + 1).await;
    let body = json!({"email": fixture.own(&other), "password": PASSWORD,
        "challenge": asked.field("challenge"), "code": code.code()});
    let changed = fixture.patch_me(&pair.access, body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let change = fixture.nth(&other, 1).await.token().to_owned();
    // The notice of it.
    fixture.nth(&email, before + 2).await;
    let reset = fixture.reset_token(&email).await;
    let before = fixture.received_to(&email).len();
    let challenge = challenge_of(&fixture.try_login(name, PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.nth(&email, before + 1).await.code().to_owned();
    Open { reset, challenge, code, proof, change }
}

async fn a_reset_ends_what_was_left_open(fixture: Fixture) {
    let alice = open_all(&fixture, "alice").await;
    let bob = open_all(&fixture, "bob").await;
    assert_eq!(fixture.confirm_reset(&alice.reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.answer(&alice.challenge, &alice.code).await.field("code"), "challenge_not_valid");
    assert_no_good(&fixture.verify(&alice.proof).await);
    assert_no_good(&fixture.verify(&alice.change).await);
    // The second factor is asked for as before.
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    // Nobody else's.
    let pair = TokenPair::of(&fixture.answer(&bob.challenge, &bob.code).await);
    assert_eq!(fixture.verify(&bob.proof).await.status, 200);
    let change = json!({"token": bob.change});
    let changed = fixture.client.post("/api/email/verify/", Some(&pair.access), change).await;
    assert_eq!(changed.status, 200, "with a second factor on, it takes a login: {}", changed.text);
}

async fn the_mail_goes_to_the_address_as_it_is_stored(fixture: Fixture) {
    let body = json!({
        "username": fixture.own("alice"), "email": fixture.own("Alice.B@example.com"), "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    let registered = fixture.post("/api/register/", body).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(registered.field("email"), fixture.own("Alice.B@example.com"));
    assert_eq!(fixture.forget("aLICE.b@eXAMPLE.COM").await.status, 202);
    let message = fixture.nth("Alice.B@example.com", 1).await;
    assert!(!message.raw.contains("aLICE.b") && !message.raw.contains("eXAMPLE"), "{}", message.raw);
    assert_eq!(fixture.confirm_reset(message.token(), NEW_PASSWORD).await.status, 200);
}

async fn whoever_was_locked_out_meanwhile_stays_out(fixture: Fixture) {
    fixture.register("alice").await;
    let token = fixture.reset_token("alice@example.com").await;
    fixture.users("deactivate", "alice");
    assert_no_good(&fixture.confirm_reset(&token, NEW_PASSWORD).await);
    fixture.users("activate", "alice");
    fixture.login("alice").await;
}
