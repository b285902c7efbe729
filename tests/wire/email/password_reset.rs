//! Password resets, from the request to the login with the new password.

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::server::BASE_URL;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

/// The beginning of the subject of emails with a reset link.
pub(crate) const RESET: &str = "Set a new password";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_reset_revokes_every_session,
            answers_do_not_reveal_whether_an_account_exists,
            concurrent_uses_of_a_link_have_one_winner,
            using_one_link_invalidates_all,
            a_refused_password_does_not_use_the_link,
            refuses_invalid_link_tokens,
            the_email_goes_to_the_stored_address,
            a_deactivated_user_cannot_use_a_link;
        servers.off_postgres =>
            concurrent_uses_of_a_link_have_one_winner;
        servers.optional =>
            a_link_works_only_for_its_purpose,
            a_reset_invalidates_open_links_and_challenges;
        OnSqlite =>
            accepts_only_a_single_email_address;
        OnBothDatabases =>
            requests_by_others_do_not_block_the_user,
    ]
}

/// Waits until no email to this case waits in the outbox; returns all received emails.
pub(crate) async fn all_delivered(fixture: &Fixture) -> Vec<ReceivedEmail> {
    eventually("the outbox is empty", async || fixture.waiting() == 0).await;
    fixture.received()
}

#[track_caller]
pub(crate) fn assert_invalid_link(answer: &Answer) {
    answer.assert_field_error("token", "Token is invalid or expired.");
}

impl Fixture {
    /// Requests a password reset; returns the link token from the email.
    pub(crate) async fn reset_token(&self, email: &str) -> String {
        let is_link = |message: &ReceivedEmail| message.subject.contains(RESET);
        let before = self.received_to(email).into_iter().filter(is_link).count();
        assert_eq!(self.request_reset(email).await.status, 202);
        let mut count = self.received_to(email).len().max(1);
        loop {
            self.wait_for_nth(email, count).await;
            let mut links = self.received_to(email).into_iter().filter(is_link);
            match links.nth(before) {
                Some(message) => return message.token().to_owned(),
                None => count = self.received_to(email).len() + 1,
            }
        }
    }
}

async fn a_reset_revokes_every_session(fixture: Fixture) {
    let (one, other) = (fixture.register_and_login("alice").await, fixture.login("alice").await);
    let request = fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url));
    // Neither `Host` nor `X-Forwarded-Host` appears in the link (SEC-092, SEC-114).
    let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
    let asked =
        Answer::of(request.json(&json!({"email": fixture.own("ALICE@example.com")})).send().await.unwrap()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);

    let message = fixture.wait_for_nth("alice@example.com", 1).await;
    assert!(message.link().starts_with(BASE_URL) && !message.raw.contains("evil"), "{}", message.raw);
    let confirmed = fixture.confirm_reset(message.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"detail": "Password has been reset."}), "the answer has no tokens");

    for pair in [one, other] {
        assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 401);
        assert_eq!(fixture.client.me(&pair.access).await.status, 401);
    }
    assert_eq!(fixture.try_login("alice", PASSWORD).await.status, 401);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    let again = fixture.confirm_reset(message.token(), PASSWORD).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json(), json!({"token": ["Token is invalid or expired."]}));
    assert!(fixture.wait_for_nth("alice@example.com", 2).await.subject.contains("password"));
}

async fn answers_do_not_reveal_whether_an_account_exists(fixture: Fixture) {
    fixture.register("alice").await;
    fixture.register("bob").await;
    fixture.users("deactivate", "bob");
    let known = fixture.request_reset("alice@example.com").await;
    for email in ["unknown@example.com", "bob@example.com"] {
        let answer = fixture.request_reset(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
    }
    // Requests are processed in order, so those before this one have been processed too.
    fixture.register("carol").await;
    fixture.request_reset("carol@example.com").await;
    fixture.wait_for_nth("carol@example.com", 1).await;
    let recipients: Vec<_> = fixture.received().into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients, ["alice@example.com", "carol@example.com"]);
}

async fn concurrent_uses_of_a_link_have_one_winner(fixture: Fixture) {
    fixture.register("alice").await;
    let token = fixture.reset_token("alice@example.com").await;
    let wanted: Vec<_> = (0..8).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = wanted.clone().into_iter().map(|password| {
        let (api, body) = (fixture.client.clone(), json!({"token": token, "new_password": password}));
        async move { api.post("/api/password-reset/confirm/", None, body).await }
    });
    let answers = run_concurrently(calls).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().zip(&wanted).partition(|(answer, _)| answer.status == 200);
    assert_eq!(winners.len(), 1, "{answers:?}");
    losers.iter().for_each(|(answer, _)| assert_invalid_link(answer));
    TokenPair::of(&fixture.try_login("alice", winners[0].1).await);
    for (_, password) in losers {
        assert_eq!(fixture.try_login("alice", password).await.status, 401);
    }
}

async fn using_one_link_invalidates_all(fixture: Fixture) {
    fixture.register("alice").await;
    let older = fixture.reset_token("alice@example.com").await;
    fixture.age_codes("alice", 300);
    let newer = fixture.reset_token("alice@example.com").await;
    assert_eq!(fixture.confirm_reset(&older, NEW_PASSWORD).await.status, 200, "a newer link does not invalidate it");
    for used in [older, newer] {
        assert_invalid_link(&fixture.confirm_reset(&used, NEW_PASSWORD).await);
    }
}

async fn a_refused_password_does_not_use_the_link(fixture: Fixture) {
    let pair = fixture.register_and_login("alice.jones").await;
    let token = fixture.reset_token("alice.jones@example.com").await;
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        fixture.confirm_reset(&token, password).await.assert_field_error("new_password", message);
    }
    let missing = fixture.post("/api/password-reset/confirm/", json!({"token": token})).await;
    missing.assert_field_error("new_password", "This field is required.");
    // Nothing has changed yet.
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    fixture.login("alice.jones").await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice.jones", NEW_PASSWORD).await);
}

async fn refuses_invalid_link_tokens(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
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
        // The ID of one link with the secret of another.
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
        assert_invalid_link(&fixture.confirm_reset(&token, NEW_PASSWORD).await);
        assert_invalid_link(&fixture.verify(&token).await);
    }
    for token in [json!(""), json!(null), json!([good]), json!({"token": good}), json!(true)] {
        let answer = fixture.post("/api/password-reset/confirm/", json!({"token": token, "new_password": "x"})).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.json()["token"].is_array(), "{}", answer.text);
    }
    // Nothing has changed, and both links still work.
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(fixture.confirm_reset(&good, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.confirm_reset(&bobs, NEW_PASSWORD).await.status, 200);
}

async fn a_link_works_only_for_its_purpose(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let verification = fixture.wait_for_nth("alice@example.com", 1).await.token().to_owned();
    let reset = fixture.reset_token("alice@example.com").await;
    let body = json!({"email": fixture.own("new@example.com"), "password": PASSWORD});
    assert_eq!(fixture.patch_me(&pair.access, body).await.status, 200);
    let change = fixture.wait_for_nth("new@example.com", 1).await.token().to_owned();
    for token in [&verification, &change] {
        assert_invalid_link(&fixture.confirm_reset(token, NEW_PASSWORD).await);
    }
    assert_invalid_link(&fixture.verify(&reset).await);
    // A link token is not a challenge either.
    for token in [&verification, &reset, &change] {
        assert_eq!(fixture.answer_challenge(token, "123456").await.status, 401);
    }
    // Each link still works for its own purpose.
    assert_eq!(fixture.verify(&verification).await.status, 200);
    assert_eq!(fixture.confirm_reset(&reset, NEW_PASSWORD).await.status, 200);
}

async fn accepts_only_a_single_email_address(database: Database) {
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
        // Equal to mike@example.com if compared with a naive case mapping (CVE-2019-19844).
        json!("m\u{131}ke@example.com"),
    ] {
        for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
            let answer = fixture.post(path, json!({"email": email})).await;
            assert_eq!(answer.status, 400, "{path} {email}: {}", answer.text);
            assert!(answer.json()["email"].is_array(), "{}", answer.text);
        }
    }
    fixture.post("/api/password-reset/", json!({})).await.assert_field_error("email", "This field is required.");
    // Of duplicate form fields only the last one counts. Surrounding whitespace is trimmed.
    let request = fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url));
    let twice = [("email", "alice@example.com"), ("email", "eve@example.com")];
    assert_eq!(Answer::of(request.form(&twice).send().await.unwrap()).await.status, 202);
    assert_eq!(fixture.request_reset("mike@example.com\r\n").await.status, 202);
    let received = all_delivered(&fixture).await;
    let recipients: Vec<_> = received.iter().map(|message| &message.to).collect();
    assert_eq!(recipients, [&["mike@example.com"]]);
    let to = format!("\r\nTo: <{}>\r\n", fixture.own("mike@example.com"));
    assert!(received[0].raw.contains(&to), "{}", received[0].raw);
}

async fn requests_by_others_do_not_block_the_user(database: Database) {
    let fixture = Fixture::of(database);
    let alice = "alice@example.com";
    fixture.register("alice").await;
    fixture.register("bob").await;
    let mut answers = Vec::new();
    for email in [alice, "ALICE@example.com", "Alice@Example.com", alice, alice, alice, "bob@example.com"] {
        let answer = fixture.request_reset(email).await;
        answers.push((answer.status.as_u16(), answer.text));
    }
    assert_eq!(answers[0].0, 202);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let recipients = async || {
        let received = all_delivered(&fixture).await;
        received.into_iter().flat_map(|message| message.to).collect::<Vec<_>>()
    };
    assert_eq!(recipients().await, [alice, "bob@example.com"]);
    // Another link can be sent after five minutes.
    fixture.age_codes("alice", 300);
    for _ in 0..2 {
        assert_eq!(fixture.request_reset(alice).await.status, 202);
    }
    assert_eq!(recipients().await, [alice, "bob@example.com", alice]);
    // The earlier links have expired, so the user gets a new one although the hour is not over.
    fixture.age_codes("alice", 30 * 60);
    let token = fixture.reset_token(alice).await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    // The link was used, so another one can be sent.
    fixture.reset_token(alice).await;
}

/// The open links and challenges of a user before a reset.
struct OpenCodes {
    reset: String,
    challenge: String,
    code: String,
    verification: String,
    change: String,
}

async fn open_all(fixture: &Fixture, name: &str) -> OpenCodes {
    let (email, other) = (format!("{name}@example.com"), format!("{name}.new@example.com"));
    let pair = fixture.register_and_login(name).await;
    let verification = fixture.wait_for_nth(&email, 1).await.token().to_owned();
    fixture.enrol_email(&pair, &email).await;
    let before = fixture.received_to(&email).len();
    let asked = fixture.client.post("/api/users/me/second-factors/challenge/", Some(&pair.access), json!({})).await;
    let code = fixture.wait_for_nth(&email, before + 1).await;
    let body = json!({"email": fixture.own(&other), "password": PASSWORD,
        "challenge": asked.field("challenge"), "code": code.code()});
    let changed = fixture.patch_me(&pair.access, body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let change = fixture.wait_for_nth(&other, 1).await.token().to_owned();
    // The notice about the requested change.
    fixture.wait_for_nth(&email, before + 2).await;
    let reset = fixture.reset_token(&email).await;
    let before = fixture.received_to(&email).len();
    let challenge = challenge_of(&fixture.try_login(name, PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.wait_for_nth(&email, before + 1).await.code().to_owned();
    OpenCodes { reset, challenge, code, verification, change }
}

async fn a_reset_invalidates_open_links_and_challenges(fixture: Fixture) {
    let alice = open_all(&fixture, "alice").await;
    let bob = open_all(&fixture, "bob").await;
    assert_eq!(fixture.confirm_reset(&alice.reset, NEW_PASSWORD).await.status, 200);
    assert_eq!(fixture.answer_challenge(&alice.challenge, &alice.code).await.field("code"), "challenge_not_valid");
    assert_invalid_link(&fixture.verify(&alice.verification).await);
    assert_invalid_link(&fixture.verify(&alice.change).await);
    // The second factor is still required.
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
    // Other users' links and challenges still work.
    let pair = TokenPair::of(&fixture.answer_challenge(&bob.challenge, &bob.code).await);
    assert_eq!(fixture.verify(&bob.verification).await.status, 200);
    let change = json!({"token": bob.change});
    let changed = fixture.client.post("/api/email/verify/", Some(&pair.access), change).await;
    assert_eq!(changed.status, 200, "with a second factor, the change requires a login: {}", changed.text);
}

async fn the_email_goes_to_the_stored_address(fixture: Fixture) {
    let body = json!({
        "username": fixture.own("alice"), "email": fixture.own("Alice.B@example.com"), "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    let registered = fixture.post("/api/register/", body).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(registered.field("email"), fixture.own("Alice.B@example.com"));
    assert_eq!(fixture.request_reset("aLICE.b@eXAMPLE.COM").await.status, 202);
    let message = fixture.wait_for_nth("Alice.B@example.com", 1).await;
    assert!(!message.raw.contains("aLICE.b") && !message.raw.contains("eXAMPLE"), "{}", message.raw);
    assert_eq!(fixture.confirm_reset(message.token(), NEW_PASSWORD).await.status, 200);
}

async fn a_deactivated_user_cannot_use_a_link(fixture: Fixture) {
    fixture.register("alice").await;
    let token = fixture.reset_token("alice@example.com").await;
    fixture.users("deactivate", "alice");
    assert_invalid_link(&fixture.confirm_reset(&token, NEW_PASSWORD).await);
    fixture.users("activate", "alice");
    fixture.login("alice").await;
}
