//! Second factors that are required, whether or not somebody switched one on.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Person, amr, assert_refused};
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::{Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            where_all_have_to_whoever_has_none_is_asked_by_mail,
            where_staff_has_to_whoever_is_promoted_is_asked_at_the_next_login,
            an_authenticator_is_not_replaced_by_mail;
        OnBothDatabases =>
            a_session_that_a_refresh_refuses_changes_no_password,
    ]
}

async fn where_all_have_to_whoever_has_none_is_asked_by_mail(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "all"));
    let alice = Person::registered_and_asked(&fixture, "alice").await;
    assert_eq!(amr(&alice.pair.access), ["pwd", "otp", "mfa"]);
    assert_eq!(alice.status().await, json!({"required": true, "methods": [], "recovery_codes_left": 0}));
    let (challenge, code) = alice.asked_by_mail(&["email"]).await;
    alice.logs_in_with(&challenge, &code).await;

    // Switched on, it comes with recovery codes; switched off, it is asked for all the same.
    alice.enrol_by_mail().await;
    alice.asked_by_mail(&["email", "recovery_code"]).await;
    let (challenge, code) = alice.challenge_by_mail().await;
    assert_eq!(alice.remove("email", &challenge, &code).await.status, 200);
    let (challenge, code) = alice.asked_by_mail(&["email"]).await;
    alice.logs_in_with(&challenge, &code).await;
}

async fn where_staff_has_to_whoever_is_promoted_is_asked_at_the_next_login(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff"));
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    fixture.users("promote", "alice");
    // The session that was open began with the password alone: it is over.
    assert_eq!(fixture.client.refresh(&alice.pair.refresh).await.status, 401);
    fixture.client.me_becomes(&alice.pair.access, 401).await;
    let (challenge, code) = alice.asked_by_mail(&["email"]).await;
    let pair = alice.logs_in_with(&challenge, &code).await;
    assert_eq!(amr(&pair.access), ["pwd", "otp", "mfa"]);

    TokenPair::of(&bob.try_login().await);
    assert_eq!(bob.status().await["required"], false);
    fixture.users("demote", "alice");
    TokenPair::of(&alice.try_login().await);
}

async fn an_authenticator_is_not_replaced_by_mail(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "all"));
    let alice = Person::registered_and_asked(&fixture, "alice").await;
    // Asked for by mail before the authenticator was switched on.
    let (authenticator, _) = alice.enrol_authenticator().await;
    let mailed = alice.codes();
    let challenge = challenge_of(&alice.try_login().await, &["totp", "recovery_code"]);
    for code in &mailed {
        assert_refused(&fixture.answer(&challenge, code).await, "code_not_valid");
    }
    alice.logs_in_with(&challenge, &authenticator.code(0)).await;
    assert_eq!(alice.codes(), mailed, "no code went by mail");
}

async fn a_session_that_a_refresh_refuses_changes_no_password(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff"));
    let alice = Person::registered(&fixture, "alice").await;
    // An administrator since, past the service: the session is open, and began with the password alone.
    let username = fixture.own("alice");
    fixture.database.execute(&format!("UPDATE users SET is_staff = TRUE WHERE username = '{username}'"));
    let change = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    for (path, body) in [("/api/users/me/password/", change), ("/api/users/me/second-factors/challenge/", json!({}))] {
        let refused = fixture.client.post(path, Some(&alice.pair.access), body).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert_eq!(refused.field("code"), "token_not_valid");
    }
    assert_eq!(fixture.client.refresh(&alice.pair.refresh).await.status, 401);
    let (challenge, code) = alice.asked_by_mail(&["email"]).await;
    alice.logs_in_with(&challenge, &code).await;
}
