//! Removing second factors.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Authenticator, TestUser, assert_refused, different_code};
use auth_tests::{PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            removal_requires_the_password_and_a_code_and_sends_a_notice,
            removing_one_factor_keeps_the_other,
            removing_the_last_factor_removes_the_recovery_codes,
            an_operator_can_remove_all_factors,
    ]
}

const EMAIL_METHODS: [&str; 2] = ["email", "recovery_code"];

async fn removal_requires_the_password_and_a_code_and_sends_a_notice(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    alice.enrol_email().await;
    bob.enrol_email().await;
    let expired = "Challenge is invalid or expired.";

    let missing = alice.post("remove/", json!({"method": "email", "password": PASSWORD})).await;
    missing.assert_field_error("challenge", "This field is required.");
    let (of_login, code_of_login) = alice.login_challenge_by_email(&EMAIL_METHODS).await;
    alice.remove("email", &of_login, &code_of_login).await.assert_field_error("challenge", expired);
    let (of_bob, code_of_bob) = bob.challenge_by_email().await;
    alice.remove("email", &of_bob, &code_of_bob).await.assert_field_error("challenge", expired);
    let (challenge, code) = alice.challenge_by_email().await;
    alice.remove("email", &challenge, &different_code(&code)).await.assert_field_error("code", "Invalid code.");
    alice.remove("email", &challenge, &code_of_bob).await.assert_field_error("code", "Invalid code.");
    alice.remove("totp", &challenge, &code).await.assert_field_error("method", "This second factor is not enabled.");
    let kept = alice.remove("recovery_code", &challenge, &code).await;
    kept.assert_field_error("method", "Not a valid choice.");
    let body = json!({"method": "email", "password": "wrong", "challenge": challenge, "code": code});
    alice.post("remove/", body.clone()).await.assert_field_error("password", "Wrong password.");
    assert_eq!(fixture.post("/api/users/me/second-factors/remove/", body).await.status, 401, "without credentials");
    // Bob knows the password, the challenge and the code, but is another user.
    bob.remove("email", &challenge, &code).await.assert_field_error("challenge", expired);
    alice.login_challenge(&EMAIL_METHODS).await;

    let removed = alice.remove("email", &challenge, &code).await;
    assert_eq!((removed.status.as_u16(), removed.json()), (200, json!({"detail": "Second factor removed."})));
    assert_eq!(alice.factors().await, (vec![], 0));
    fixture.wait_for_subject(&alice.email, "second factor was removed").await;
    TokenPair::of(&alice.try_login().await);
    let again = alice.remove("email", &challenge, &code).await;
    again.assert_field_error("method", "This second factor is not enabled.");
    bob.login_challenge(&EMAIL_METHODS).await;
}

async fn removing_one_factor_keeps_the_other(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (challenge, code) = alice.challenge_by_email().await;
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let begun = alice.post("", body).await;
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    assert_eq!(alice.post("confirm/", body).await.status, 200);

    let challenge = alice.challenge().await;
    assert_eq!(alice.remove("email", &challenge, &authenticator.code(1)).await.status, 200);
    assert_eq!(alice.factors().await, (vec!["totp".to_owned()], 10));
    let challenge = alice.login_challenge(&["totp", "recovery_code"]).await;
    alice.complete_login(&challenge, &recovery_codes[0]).await;
}

async fn removing_the_last_factor_removes_the_recovery_codes(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (_, old) = alice.enrol_authenticator().await;
    assert_eq!(alice.remove("totp", &alice.challenge().await, &old[0]).await.status, 200);
    assert_eq!(alice.factors().await, (vec![], 0));
    fixture.wait_for_subject(&alice.email, "second factor was removed").await;

    let body = json!({"method": "totp", "password": PASSWORD});
    let begun = alice.post("", body).await;
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    let confirmed = alice.post("confirm/", body).await;
    let new = crate::email::fixture::string_list(&confirmed.json()["recovery_codes"]);
    let challenge = alice.login_challenge(&["totp", "recovery_code"]).await;
    assert_refused(&fixture.answer_challenge(&challenge, &old[1]).await, "code_not_valid");
    alice.complete_login(&challenge, &new[0]).await;
}

async fn an_operator_can_remove_all_factors(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    alice.enrol_authenticator().await;
    bob.enrol_email().await;
    fixture.users("remove-second-factors", "alice");
    TokenPair::of(&alice.try_login().await);
    assert_eq!(alice.factors().await, (vec![], 0));
    fixture.wait_for_subject(&alice.email, "second factor was removed").await;
    bob.login_challenge(&EMAIL_METHODS).await;
    let unknown = fixture.server.run(["users", "remove-second-factors", "unknown"]);
    assert!(!unknown.status.success() && !unknown.stderr.is_empty(), "{unknown:?}");
}
