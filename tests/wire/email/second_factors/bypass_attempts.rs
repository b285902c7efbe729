//! A second factor cannot be bypassed (SEC-134), and challenges have no other use.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::users::{TestUser, amr, assert_refused, different_code, keys};
use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_password_change_requires_a_code,
            a_new_password_keeps_second_factors,
            a_new_password_invalidates_open_challenges,
            a_deactivated_user_cannot_complete_a_login,
            adding_a_factor_keeps_open_sessions,
            a_verifying_reset_removes_an_earlier_authenticator,
            a_verification_link_requires_login_with_an_authenticator;
        servers.off_postgres =>
            a_verifying_reset_removes_an_earlier_authenticator;
        servers.optional =>
            adding_a_factor_cancels_a_pending_email_change,
            an_authenticator_requires_a_verified_email;
        servers.optional_postgres =>
            adding_a_factor_cancels_a_pending_email_change;
        OnSqlite =>
            sliding_logins_require_the_factor,
            a_challenge_alone_gives_no_access,
    ]
}

const EMAIL_METHODS: [&str; 2] = ["email", "recovery_code"];

const CHANGE_PASSWORD: &str = "/api/users/me/password/";

/// Changes the password of a user with email codes.
async fn change_password(person: &TestUser<'_>, fixture: &Fixture, pair: &TokenPair, old: &str, new: &str) -> Answer {
    let before = person.codes().len();
    let path = "/api/users/me/second-factors/challenge/";
    let challenge = fixture.client.post(path, Some(&pair.access), json!({})).await.field("challenge");
    let code = person.code_after(before).await;
    let body = json!({"old_password": old, "new_password": new, "challenge": challenge, "code": code});
    fixture.client.post(CHANGE_PASSWORD, Some(&pair.access), body).await
}

/// Resets the password with the link of an email.
async fn reset_password(fixture: &Fixture, email: &str, password: &str) {
    assert_eq!(fixture.request_reset(email).await.status, 202);
    let message = fixture.wait_for_subject(email, "Set a new password").await;
    let confirmed = fixture.confirm_reset(message.token(), password).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
}

async fn a_password_change_requires_a_code(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    alice.enrol_email().await;
    let mut body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let change =
        async |body: &Value| fixture.client.post(CHANGE_PASSWORD, Some(&alice.pair.access), body.clone()).await;
    change(&body).await.assert_field_error("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_email().await;
    body["challenge"] = challenge.into();
    change(&body).await.assert_field_error("challenge", "This field is required.");
    body["code"] = different_code(&code).into();
    change(&body).await.assert_field_error("code", "Invalid code.");
    challenge_of(&fixture.try_login("alice", PASSWORD).await, &EMAIL_METHODS);
    body["code"] = code.into();
    let next = TokenPair::of(&change(&body).await);
    assert_eq!(fixture.client.me(&next.access).await.status, 200);
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &EMAIL_METHODS);
}

async fn a_new_password_keeps_second_factors(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    let carol = TestUser::register(&fixture, "carol").await;
    for person in [&alice, &bob, &carol] {
        person.enrol_email().await;
    }
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    let changed = change_password(&bob, &fixture, &bob.pair, PASSWORD, NEW_PASSWORD).await;
    assert_eq!(amr(&TokenPair::of(&changed).access), ["pwd"], "the session keeps its authentication methods");
    let name = fixture.own("carol");
    let args = ["users", "set-password", "--password-stdin", &name];
    let output = fixture.server.run_with_input(args, &format!("{NEW_PASSWORD}\n"));
    assert!(output.status.success(), "{output:?}");

    for person in [&alice, &bob, &carol] {
        let before = person.codes().len();
        let challenge = challenge_of(&fixture.try_login(person.name, NEW_PASSWORD).await, &EMAIL_METHODS);
        let pair = person.complete_login(&challenge, &person.code_after(before).await).await;
        assert_eq!(amr(&pair.refresh), ["pwd", "otp", "mfa"]);
    }
}

async fn a_new_password_invalidates_open_challenges(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (challenge, code) = alice.login_challenge_by_email(&EMAIL_METHODS).await;
    let (confirmation, confirmation_code) = alice.challenge_by_email().await;
    let mut pair = TokenPair::of(&change_password(&alice, &fixture, &alice.pair, PASSWORD, NEW_PASSWORD).await);
    for code in [&code, &recovery_codes[0]] {
        assert_refused(&fixture.answer_challenge(&challenge, code).await, "challenge_not_valid");
    }
    let body =
        json!({"method": "email", "password": NEW_PASSWORD, "challenge": confirmation, "code": confirmation_code});
    let refused = fixture.client.post("/api/users/me/second-factors/remove/", Some(&pair.access), body).await;
    assert_eq!(refused.json(), json!({"challenge": ["Challenge is invalid or expired."]}));

    pair = TokenPair::of(&change_password(&alice, &fixture, &pair, NEW_PASSWORD, PASSWORD).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    let (challenge, code) = alice.login_challenge_by_email(&EMAIL_METHODS).await;
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    assert_refused(&fixture.answer_challenge(&challenge, &code).await, "challenge_not_valid");
}

async fn a_deactivated_user_cannot_complete_a_login(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    alice.enrol_email().await;
    bob.enrol_email().await;
    let (of_alice, of_bob) =
        (alice.login_challenge_by_email(&EMAIL_METHODS).await, bob.login_challenge_by_email(&EMAIL_METHODS).await);
    fixture.users("deactivate", "alice");
    assert_refused(&fixture.answer_challenge(&of_alice.0, &of_alice.1).await, "challenge_not_valid");
    bob.complete_login(&of_bob.0, &of_bob.1).await;
    fixture.users("delete", "bob");
    assert_refused(&fixture.answer_challenge(&of_bob.0, &of_bob.1).await, "challenge_not_valid");
}

async fn adding_a_factor_keeps_open_sessions(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let other = fixture.login("alice").await;
    alice.enrol_email().await;
    for pair in [&alice.pair, &other] {
        let refreshed = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
        assert_eq!(fixture.client.me(&refreshed.access).await.status, 200);
        assert_eq!(amr(&refreshed.access), ["pwd"], "the session keeps its authentication methods");
    }
}

async fn sliding_logins_require_the_factor(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding"));
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (before, body) = (alice.codes().len(), json!({"username": "alice", "password": PASSWORD}));
    let challenge = challenge_of(&fixture.post("/api/token/sliding/", body).await, &EMAIL_METHODS);
    let code = alice.code_after(before).await;
    let answer = fixture.answer_challenge(&challenge, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(keys(&answer.json()), ["token"]);
    let token = answer.field("token");
    assert_eq!(fixture.client.me(&token).await.status, 200);
    let refreshed = fixture.post("/api/token/sliding/refresh/", json!({"token": token})).await;
    for token in [token, refreshed.field("token")] {
        assert_eq!(amr(&token), ["pwd", "otp", "mfa"]);
    }
    assert_refused(&fixture.answer_challenge(&challenge, &recovery_codes[0]).await, "challenge_not_valid");
    // A login for a token pair still returns a token pair.
    let (challenge, code) = alice.login_challenge_by_email(&EMAIL_METHODS).await;
    let answer = fixture.answer_challenge(&challenge, &code).await;
    assert_eq!(keys(&answer.json()), ["access", "refresh"]);
}

async fn a_challenge_alone_gives_no_access(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding"));
    let alice = TestUser::register(&fixture, "alice").await;
    alice.enrol_email().await;
    let ((login, code), confirmation) = (alice.login_challenge_by_email(&EMAIL_METHODS).await, alice.challenge().await);
    for challenge in [&login, &confirmation] {
        assert_eq!(fixture.client.me(challenge).await.status, 401);
        assert_eq!(fixture.client.refresh(challenge).await.status, 401);
        assert_eq!(fixture.client.logout(challenge, json!({"all": true})).await.status, 401);
        for path in ["/api/token/verify/", "/api/token/sliding/refresh/"] {
            assert_eq!(fixture.post(path, json!({"token": challenge})).await.status, 401, "{path}");
        }
        // A challenge has the same form as a link token.
        assert_eq!(fixture.confirm_reset(challenge, NEW_PASSWORD).await.status, 400);
        assert_eq!(fixture.verify(challenge).await.status, 400);
    }
    // No other token works as a challenge.
    fixture.request_reset(&alice.email).await;
    let link = fixture.wait_for_subject(&alice.email, "Set a new password").await;
    for other in [&alice.pair.access, &alice.pair.refresh, link.token(), &login[..64], &format!("{login}0")] {
        assert_refused(&fixture.answer_challenge(other, &code).await, "challenge_not_valid");
    }
    let last = if login.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &login[..95]);
    assert_refused(&fixture.answer_challenge(&forged, &code).await, "challenge_not_valid");
    alice.complete_login(&login, &code).await;
}

/// An attacker with an access token and the password requests a change of the email address before the user adds a factor.
async fn adding_a_factor_cancels_a_pending_email_change(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    fixture.wait_for_subject(&alice.email, "Confirm your email address").await;
    let token = fixture.request_email_change(&alice.pair.access, "mallory@example.com").await;
    fixture.wait_for_subject(&alice.email, "new email address was requested").await;
    alice.enrol_email().await;
    let followed = fixture.verify(&token).await;
    followed.assert_field_error("token", "Token is invalid or expired.");
    assert_eq!(fixture.client.me(&alice.pair.access).await.field("email"), fixture.own(&alice.email));
    let (challenge, code) = alice.login_challenge_by_email(&EMAIL_METHODS).await;
    alice.complete_login(&challenge, &code).await;
}

/// An attacker registers another person's email address and tries to lock that person out.
async fn an_authenticator_requires_a_verified_email(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let body = json!({"method": "totp", "password": PASSWORD});
    alice.post("", body.clone()).await.assert_field_error("method", "Verify your email address first.");
    let link = fixture.wait_for_subject(&alice.email, "Confirm your email address").await;
    assert_eq!(fixture.verify(link.token()).await.status, 200);
    let begun = alice.post("", body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
}

async fn a_verifying_reset_removes_an_earlier_authenticator(fixture: Fixture) {
    let mut attacker = TestUser::register(&fixture, "alice").await;
    attacker.enrol_authenticator().await;
    reset_password(&fixture, &attacker.email, NEW_PASSWORD).await;
    fixture.wait_for_subject(&attacker.email, "second factor was removed").await;
    // The owner of the email address logs in with the password alone and has no second factor.
    attacker.pair = TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    assert_eq!(attacker.factors().await, (vec![], 0));
}

/// The link of the email could belong to an attacker's registration, so with an authenticator it works only for the logged-in
/// user.
async fn a_verification_link_requires_login_with_an_authenticator(fixture: Fixture) {
    const VERIFY: &str = "/api/email/verify/";
    let alice = TestUser::register(&fixture, "alice").await;
    let mallory = TestUser::register(&fixture, "mallory").await;
    alice.enrol_authenticator().await;
    let link = json!({"token": fixture.wait_for_subject(&alice.email, "Confirm your email address").await.token()});
    for bearer in [None, Some(&*mallory.pair.access)] {
        let refused = fixture.client.post(VERIFY, bearer, link.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.field("code").as_str()), (401, "login_required"));
    }
    let refused = fixture.client.post(VERIFY, Some("a.b.c"), link.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.field("code").as_str()), (401, "token_not_valid"));
    let verified = fixture.client.post(VERIFY, Some(&alice.pair.access), link.clone()).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    let used = fixture.client.post(VERIFY, Some(&alice.pair.access), link).await;
    assert_eq!((used.status.as_u16(), used.json()), (400, json!({"token": ["Token is invalid or expired."]})));
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["totp", "recovery_code"]);
}
