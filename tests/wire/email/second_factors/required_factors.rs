//! Required second factors, whether or not a user has enabled one.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{TestUser, amr, assert_refused};
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::{Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            if_required_for_all_users_without_a_factor_get_email_codes,
            if_required_for_staff_a_promoted_user_needs_a_code,
            email_codes_do_not_replace_an_authenticator;
        OnBothDatabases =>
            a_session_that_cannot_be_refreshed_cannot_change_the_password,
    ]
}

async fn if_required_for_all_users_without_a_factor_get_email_codes(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "all"));
    let alice = TestUser::register_with_email_code(&fixture, "alice").await;
    assert_eq!(amr(&alice.pair.access), ["pwd", "otp", "mfa"]);
    assert_eq!(alice.status().await, json!({"required": true, "methods": [], "recovery_codes_left": 0}));
    let (challenge, code) = alice.login_challenge_by_email(&["email"]).await;
    alice.complete_login(&challenge, &code).await;

    // Enrolment returns recovery codes; after removal, codes by email are still required.
    alice.enrol_email().await;
    alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    let (challenge, code) = alice.challenge_by_email().await;
    assert_eq!(alice.remove("email", &challenge, &code).await.status, 200);
    let (challenge, code) = alice.login_challenge_by_email(&["email"]).await;
    alice.complete_login(&challenge, &code).await;
}

async fn if_required_for_staff_a_promoted_user_needs_a_code(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff"));
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    fixture.users("promote", "alice");
    // The open session was authenticated with the password alone, so it is refused.
    assert_eq!(fixture.client.refresh(&alice.pair.refresh).await.status, 401);
    fixture.client.wait_for_me(&alice.pair.access, 401).await;
    let (challenge, code) = alice.login_challenge_by_email(&["email"]).await;
    let pair = alice.complete_login(&challenge, &code).await;
    assert_eq!(amr(&pair.access), ["pwd", "otp", "mfa"]);

    TokenPair::of(&bob.try_login().await);
    assert_eq!(bob.status().await["required"], false);
    fixture.users("demote", "alice");
    TokenPair::of(&alice.try_login().await);
}

async fn email_codes_do_not_replace_an_authenticator(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "all"));
    let alice = TestUser::register_with_email_code(&fixture, "alice").await;
    // The code was sent before the authenticator was enabled.
    let (authenticator, _) = alice.enrol_authenticator().await;
    let email_codes = alice.codes();
    let challenge = challenge_of(&alice.try_login().await, &["totp", "recovery_code"]);
    for code in &email_codes {
        assert_refused(&fixture.answer_challenge(&challenge, code).await, "code_not_valid");
    }
    alice.complete_login(&challenge, &authenticator.code(0)).await;
    assert_eq!(alice.codes(), email_codes, "no code was sent by email");
}

async fn a_session_that_cannot_be_refreshed_cannot_change_the_password(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff"));
    let alice = TestUser::register(&fixture, "alice").await;
    // Promoted directly in the database, so the session stays open although it was authenticated with the password alone.
    let username = fixture.own("alice");
    fixture.database.execute(&format!("UPDATE users SET is_staff = TRUE WHERE username = '{username}'"));
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    for (path, body) in [("/api/users/me/password/", change), ("/api/users/me/second-factors/challenge/", json!({}))] {
        let refused = fixture.client.post(path, Some(&alice.pair.access), body).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert_eq!(refused.field("code"), "token_not_valid");
    }
    assert_eq!(fixture.client.refresh(&alice.pair.refresh).await.status, 401);
    let (challenge, code) = alice.login_challenge_by_email(&["email"]).await;
    alice.complete_login(&challenge, &code).await;
}
