//! Another password for somebody who is logged in.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::at_once;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};
use crate::email::password_reset::{all_so_far, assert_no_good};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            the_other_sessions_end_and_this_one_goes_on,
            what_is_refused_changes_nothing,
            nobody_changes_a_password_without_credentials,
            a_change_ends_open_links_and_challenges;
        OnSqlite =>
            a_spent_token_opens_nothing_even_where_it_is_answered_again,
            guesses_at_the_old_password_are_counted_as_at_a_login;
        OnBothDatabases =>
            of_two_that_change_it_at_once_one_gets_through,
    ]
}

impl Fixture {
    /// Changes the password of whoever is logged in.
    pub(crate) async fn change_password(&self, bearer: &str, old: &str, new: &str) -> Answer {
        let body = json!({"old_password": old, "new_password": new});
        self.client.post("/api/users/me/password/", Some(bearer), body).await
    }
}

async fn the_other_sessions_end_and_this_one_goes_on(fixture: Fixture) {
    let (one, other) = (fixture.newcomer("alice").await, fixture.login("alice").await);
    let bob = fixture.newcomer("bob").await;
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
    let notice = fixture.with_subject("alice@example.com", "Your password for").await;
    assert!(notice.text.contains("was changed") && notice.html.contains("was changed"), "{}", notice.raw);
}

async fn a_spent_token_opens_nothing_even_where_it_is_answered_again(database: Database) {
    let replaying = |settings: auth_tests::server::ServerOptions| {
        settings.env("AUTH__TOKENS__ON_RETRY", "replay").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600")
    };
    let fixture = Fixture::with(database, replaying);
    let first = fixture.newcomer("alice").await;
    let second = TokenPair::of(&fixture.client.refresh(&first.refresh).await);
    let replayed = TokenPair::of(&fixture.client.refresh(&first.refresh).await);
    assert_eq!(replayed.refresh, second.refresh, "a retry is answered again here");
    let next = TokenPair::of(&fixture.change_password(&second.access, PASSWORD, NEW_PASSWORD).await);
    for token in [&second.refresh, &first.refresh] {
        assert_eq!(fixture.client.refresh(token).await.status, 401);
    }
    assert_eq!(fixture.client.me(&next.access).await.status, 200);
    TokenPair::of(&fixture.client.refresh(&next.refresh).await);
}

async fn what_is_refused_changes_nothing(fixture: Fixture) {
    let (pair, other) = (fixture.newcomer("alice.jones").await, fixture.login("alice.jones").await);
    let wrong = fixture.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    wrong.refuses("old_password", "Wrong password.");
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        let weak = fixture.change_password(&pair.access, PASSWORD, password).await;
        weak.refuses("new_password", message);
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
    // Whoever guesses at the old one learns nothing of the rules for the new one.
    let both = fixture.change_password(&pair.access, "Correct-horse-43", "password123").await;
    both.refuses("old_password", "Wrong password.");

    for pair in [&pair, &other] {
        assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    }
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    fixture.login("alice.jones").await;
    assert_eq!(all_so_far(&fixture).await.len(), 0);
}

async fn nobody_changes_a_password_without_credentials(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD, "username": fixture.own("alice")});
    assert_eq!(fixture.post("/api/users/me/password/", body).await.status, 401);
    for bearer in ["garbage", pair.refresh.as_str()] {
        assert_eq!(fixture.change_password(bearer, PASSWORD, NEW_PASSWORD).await.status, 401);
    }
    let ended = fixture.login("alice").await;
    assert_eq!(fixture.client.logout(&ended.access, json!({"refresh": ended.refresh})).await.status, 200);
    assert_eq!(fixture.change_password(&ended.access, PASSWORD, NEW_PASSWORD).await.status, 401);
    fixture.login("alice").await;
}

async fn of_two_that_change_it_at_once_one_gets_through(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "100"));
    let mut sessions = vec![fixture.newcomer("alice").await];
    for _ in 0..5 {
        sessions.push(fixture.login("alice").await);
    }
    let wanted: Vec<_> = (0..sessions.len()).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = sessions.iter().zip(wanted.clone()).map(|(pair, new)| {
        let (api, access) = (fixture.client.clone(), pair.access.clone());
        let body = json!({"old_password": PASSWORD, "new_password": new});
        async move { api.post("/api/users/me/password/", Some(&access), body).await }
    });
    let answers = at_once(calls).await;
    let winners: Vec<_> = (0..answers.len()).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for (n, answer) in answers.iter().enumerate() {
        let is_winner = winners == [n];
        // The others' session has ended, or their old password is not the one any more.
        assert!(is_winner || [400, 401].contains(&answer.status.as_u16()), "{}", answer.text);
        assert_eq!(fixture.try_login("alice", &wanted[n]).await.status == 200, is_winner);
        assert_eq!(fixture.client.me(&sessions[n].access).await.status == 200, is_winner);
    }
    let next = TokenPair::of(&answers[winners[0]]);
    TokenPair::of(&fixture.client.refresh(&next.refresh).await);
}

async fn a_change_ends_open_links_and_challenges(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    fixture.enrol_by_mail(&pair, "alice@example.com").await;
    let token = fixture.reset_token("alice@example.com").await;
    let before = fixture.received_to("alice@example.com").len();
    let challenge = challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    let code = fixture.nth("alice@example.com", before + 1).await.code().to_owned();
    let before = fixture.received_to("alice@example.com").len();
    let path = "/api/users/me/second-factors/challenge/";
    let own = fixture.client.post(path, Some(&pair.access), json!({})).await.field("challenge");
    let own_code = fixture.nth("alice@example.com", before + 1).await.code().to_owned();
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD, "challenge": own, "code": own_code});
    TokenPair::of(&fixture.client.post("/api/users/me/password/", Some(&pair.access), body).await);
    assert_no_good(&fixture.confirm_reset(&token, PASSWORD).await);
    assert_eq!(fixture.answer(&challenge, &code).await.field("code"), "challenge_not_valid");
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
}

async fn guesses_at_the_old_password_are_counted_as_at_a_login(database: Database) {
    let strict =
        |options: auth_tests::server::ServerOptions| options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "2");
    let fixture = Fixture::with(database, strict);
    let pair = fixture.newcomer("alice").await;
    let wrong = fixture.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    wrong.refuses("old_password", "Wrong password.");
    assert_eq!(fixture.try_login("alice", "Correct-horse-44").await.status, 401);
    assert_throttled(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_ne!(fixture.try_login("alice", PASSWORD).await.status, 200);
    // A link does away with the wait.
    let token = fixture.reset_token("alice@example.com").await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
}
