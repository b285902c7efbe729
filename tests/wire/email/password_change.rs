//! The password change of a logged-in user.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::run_concurrently;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};
use crate::email::password_reset::{all_delivered, assert_invalid_link};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_change_revokes_the_other_sessions,
            a_refused_change_has_no_effect,
            a_change_requires_valid_credentials,
            a_change_invalidates_open_links_and_challenges;
        OnSqlite =>
            used_tokens_are_not_replayed_after_a_change,
            wrong_old_passwords_count_like_failed_logins;
        OnBothDatabases =>
            concurrent_changes_have_one_winner,
    ]
}

impl Fixture {
    /// Changes the password of the caller.
    pub(crate) async fn change_password(&self, bearer: &str, old: &str, new: &str) -> Answer {
        let body = json!({"old_password": old, "new_password": new});
        self.client.post("/api/users/me/password/", Some(bearer), body).await
    }
}

async fn a_change_revokes_the_other_sessions(fixture: Fixture) {
    let (one, other) = (fixture.register_and_login("alice").await, fixture.login("alice").await);
    let bob = fixture.register_and_login("bob").await;
    let changed = fixture.change_password(&one.access, PASSWORD, NEW_PASSWORD).await;
    let next = TokenPair::of(&changed);
    assert_eq!(changed.field("detail"), "Password changed.");

    assert_eq!(fixture.client.me(&other.access).await.status, 401);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 401);
    assert_eq!(fixture.client.me(&next.access).await.status, 200);
    let later = TokenPair::of(&fixture.client.refresh(&next.refresh).await);
    assert_eq!(fixture.client.me(&later.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&one.refresh).await.status, 401);
    assert_eq!(fixture.client.me(&bob.access).await.status, 200);

    assert_eq!(fixture.try_login("alice", PASSWORD).await.status, 401);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    let notice = fixture.wait_for_subject("alice@example.com", "Your password for").await;
    assert!(notice.text.contains("was changed") && notice.html.contains("was changed"), "{}", notice.raw);
}

async fn used_tokens_are_not_replayed_after_a_change(database: Database) {
    let with_replay = |settings: auth_tests::server::ServerOptions| {
        settings.env("AUTH__TOKENS__ON_RETRY", "replay").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600")
    };
    let fixture = Fixture::with(database, with_replay);
    let first = fixture.register_and_login("alice").await;
    let second = TokenPair::of(&fixture.client.refresh(&first.refresh).await);
    let replayed = TokenPair::of(&fixture.client.refresh(&first.refresh).await);
    assert_eq!(replayed.refresh, second.refresh, "a retry gets the same successor");
    let next = TokenPair::of(&fixture.change_password(&second.access, PASSWORD, NEW_PASSWORD).await);
    for token in [&second.refresh, &first.refresh] {
        assert_eq!(fixture.client.refresh(token).await.status, 401);
    }
    assert_eq!(fixture.client.me(&next.access).await.status, 200);
    TokenPair::of(&fixture.client.refresh(&next.refresh).await);
}

async fn a_refused_change_has_no_effect(fixture: Fixture) {
    let (pair, other) = (fixture.register_and_login("alice.jones").await, fixture.login("alice.jones").await);
    let wrong = fixture.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    wrong.assert_field_error("old_password", "Wrong password.");
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        let weak = fixture.change_password(&pair.access, PASSWORD, password).await;
        weak.assert_field_error("new_password", message);
    }
    let nothing = fixture.client.post("/api/users/me/password/", Some(&pair.access), json!({})).await;
    let required = ["This field is required."];
    assert_eq!(nothing.json(), json!({"old_password": required, "new_password": required}));
    assert_eq!(nothing.status, 400);
    for value in [json!([PASSWORD]), json!({"0": PASSWORD}), json!(null)] {
        let body = json!({"old_password": value, "new_password": NEW_PASSWORD});
        let answer = fixture.client.post("/api/users/me/password/", Some(&pair.access), body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.json()["old_password"].is_array(), "{}", answer.text);
    }
    // With a wrong old password the answer does not reveal the rules for the new one.
    let both = fixture.change_password(&pair.access, "Correct-horse-43", "password123").await;
    both.assert_field_error("old_password", "Wrong password.");

    for pair in [&pair, &other] {
        assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    }
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    fixture.login("alice.jones").await;
    assert_eq!(all_delivered(&fixture).await.len(), 0);
}

async fn a_change_requires_valid_credentials(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD, "username": fixture.own("alice")});
    assert_eq!(fixture.post("/api/users/me/password/", body).await.status, 401);
    for bearer in ["garbage", pair.refresh.as_str()] {
        assert_eq!(fixture.change_password(bearer, PASSWORD, NEW_PASSWORD).await.status, 401);
    }
    let revoked = fixture.login("alice").await;
    assert_eq!(fixture.client.logout(&revoked.access, json!({"refresh": revoked.refresh})).await.status, 200);
    assert_eq!(fixture.change_password(&revoked.access, PASSWORD, NEW_PASSWORD).await.status, 401);
    fixture.login("alice").await;
}

async fn concurrent_changes_have_one_winner(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "100"));
    let mut sessions = vec![fixture.register_and_login("alice").await];
    for _ in 0..5 {
        sessions.push(fixture.login("alice").await);
    }
    let wanted: Vec<_> = (0..sessions.len()).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = sessions.iter().zip(wanted.clone()).map(|(pair, new)| {
        let (api, access) = (fixture.client.clone(), pair.access.clone());
        let body = json!({"old_password": PASSWORD, "new_password": new});
        async move { api.post("/api/users/me/password/", Some(&access), body).await }
    });
    let answers = run_concurrently(calls).await;
    let winners: Vec<_> = (0..answers.len()).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for (n, answer) in answers.iter().enumerate() {
        let is_winner = winners == [n];
        // The other sessions are revoked, or their old password is no longer right.
        assert!(is_winner || [400, 401].contains(&answer.status.as_u16()), "{}", answer.text);
        assert_eq!(fixture.try_login("alice", &wanted[n]).await.status == 200, is_winner);
        assert_eq!(fixture.client.me(&sessions[n].access).await.status == 200, is_winner);
    }
    let next = TokenPair::of(&answers[winners[0]]);
    TokenPair::of(&fixture.client.refresh(&next.refresh).await);
}

async fn a_change_invalidates_open_links_and_challenges(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    fixture.enrol_email(&pair, "alice@example.com").await;
    let token = fixture.reset_token("alice@example.com").await;
    let before = fixture.received_to("alice@example.com").len();
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.wait_for_nth("alice@example.com", before + 1).await.code().to_owned();
    let before = fixture.received_to("alice@example.com").len();
    let path = "/api/users/me/second-factors/challenge/";
    let own = fixture.client.post(path, Some(&pair.access), json!({})).await.field("challenge");
    let own_code = fixture.wait_for_nth("alice@example.com", before + 1).await.code().to_owned();
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD, "challenge": own, "code": own_code});
    TokenPair::of(&fixture.client.post("/api/users/me/password/", Some(&pair.access), body).await);
    assert_invalid_link(&fixture.confirm_reset(&token, PASSWORD).await);
    assert_eq!(fixture.answer_challenge(&challenge, &code).await.field("code"), "challenge_not_valid");
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
}

async fn wrong_old_passwords_count_like_failed_logins(database: Database) {
    let strict =
        |options: auth_tests::server::ServerOptions| options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "2");
    let fixture = Fixture::with(database, strict);
    let pair = fixture.register_and_login("alice").await;
    let wrong = fixture.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    wrong.assert_field_error("old_password", "Wrong password.");
    assert_eq!(fixture.try_login("alice", "Correct-horse-44").await.status, 401);
    assert_throttled(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_ne!(fixture.try_login("alice", PASSWORD).await.status, 200);
    // A password reset clears the delay.
    let token = fixture.reset_token("alice@example.com").await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
}
