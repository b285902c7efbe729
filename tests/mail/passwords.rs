//! Another password for somebody who is logged in.

use libtest_mimic::Trial;
use serde_json::json;

use crate::reset::{all_so_far, assert_no_good, assert_refused, at_once, in_turn};
use crate::stage::{NEW_PASSWORD, Stage, assert_throttled, cases, challenge_of};
use crate::support::{Answer, Database, PASSWORD, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both:
        the_other_sessions_end_and_this_one_goes_on,
        a_spent_token_opens_nothing_even_where_it_is_answered_again,
        what_is_refused_changes_nothing,
        nobody_changes_a_password_without_credentials,
        of_two_that_change_it_at_once_one_gets_through,
        a_change_ends_open_links_and_challenges,
        guesses_at_the_old_password_are_counted_as_at_a_login,
    )
}

impl Stage {
    /// Changes the password of whoever is logged in.
    pub(crate) async fn change_password(&self, bearer: &str, old: &str, new: &str) -> Answer {
        let body = json!({"old_password": old, "new_password": new});
        self.api.post("/api/users/me/password/", Some(bearer), body).await
    }
}

async fn the_other_sessions_end_and_this_one_goes_on(database: Database) {
    // However long the case takes, a spent token is a retry, and ends no session.
    let stage = Stage::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600"));
    let (one, other) = (stage.api.newcomer("alice").await, stage.api.login("alice").await);
    let bob = stage.api.newcomer("bob").await;
    let changed = stage.change_password(&one.access, PASSWORD, NEW_PASSWORD).await;
    let next = Pair::of(&changed);
    assert_eq!(changed.field("detail"), "Password changed.");

    assert_eq!(stage.api.me(&other.access).await.status, 401);
    assert_eq!(stage.api.refresh(&other.refresh).await.status, 401);
    assert_eq!(stage.api.me(&next.access).await.status, 200);
    let later = Pair::of(&stage.api.refresh(&next.refresh).await);
    assert_eq!(stage.api.me(&later.access).await.status, 200);
    assert_eq!(stage.api.refresh(&one.refresh).await.status, 401);
    assert_eq!(stage.api.me(&bob.access).await.status, 200);

    assert_eq!(stage.try_login("alice", PASSWORD).await.status, 401);
    Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
    let notice = stage.postbox.with_subject("alice@example.com", "Your password for").await;
    assert!(notice.text.contains("was changed") && notice.html.contains("was changed"), "{}", notice.raw);
}

async fn a_spent_token_opens_nothing_even_where_it_is_answered_again(database: Database) {
    let replaying = |settings: auth_tests::server::ServerOptions| {
        settings.env("AUTH__TOKENS__ON_RETRY", "replay").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600")
    };
    let stage = Stage::with(database, replaying);
    let first = stage.api.newcomer("alice").await;
    let second = Pair::of(&stage.api.refresh(&first.refresh).await);
    let replayed = Pair::of(&stage.api.refresh(&first.refresh).await);
    assert_eq!(replayed.refresh, second.refresh, "a retry is answered again here");
    let next = Pair::of(&stage.change_password(&second.access, PASSWORD, NEW_PASSWORD).await);
    for token in [&second.refresh, &first.refresh] {
        assert_eq!(stage.api.refresh(token).await.status, 401);
    }
    assert_eq!(stage.api.me(&next.access).await.status, 200);
    Pair::of(&stage.api.refresh(&next.refresh).await);
}

async fn what_is_refused_changes_nothing(database: Database) {
    let stage = Stage::with(database, in_turn);
    let (pair, other) = (stage.api.newcomer("alice.jones").await, stage.api.login("alice.jones").await);
    let wrong = stage.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    assert_refused(&wrong, "old_password", "Wrong password.");
    for (password, message) in [
        ("password123", "This password is too common."),
        ("alice.jones1", "The password is too similar to the username."),
        ("73519462085", "This password is entirely numeric."),
        ("", "This field may not be blank."),
    ] {
        let weak = stage.change_password(&pair.access, PASSWORD, password).await;
        assert_refused(&weak, "new_password", message);
    }
    let nothing = stage.api.post("/api/users/me/password/", Some(&pair.access), json!({})).await;
    let required = ["This field is required."];
    assert_eq!(nothing.json(), json!({"old_password": required, "new_password": required}));
    assert_eq!(nothing.status, 400);
    for value in [json!([PASSWORD]), json!({"0": PASSWORD}), json!(null)] {
        let body = json!({"old_password": value, "new_password": NEW_PASSWORD});
        let answer = stage.api.post("/api/users/me/password/", Some(&pair.access), body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.json()["old_password"].is_array(), "{}", answer.text);
    }
    // Whoever guesses at the old one learns nothing of the rules for the new one.
    let both = stage.change_password(&pair.access, "Correct-horse-43", "password123").await;
    assert_refused(&both, "old_password", "Wrong password.");

    for pair in [&pair, &other] {
        assert_eq!(stage.api.me(&pair.access).await.status, 200);
    }
    Pair::of(&stage.api.refresh(&pair.refresh).await);
    stage.api.login("alice.jones").await;
    assert_eq!(all_so_far(&stage).await.len(), 0);
}

async fn nobody_changes_a_password_without_credentials(database: Database) {
    let stage = Stage::of(database);
    let pair = stage.api.newcomer("alice").await;
    let body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD, "username": "alice"});
    assert_eq!(stage.post("/api/users/me/password/", body).await.status, 401);
    for bearer in ["garbage", pair.refresh.as_str()] {
        assert_eq!(stage.change_password(bearer, PASSWORD, NEW_PASSWORD).await.status, 401);
    }
    let ended = stage.api.login("alice").await;
    assert_eq!(stage.api.logout(&ended.access, json!({"refresh": ended.refresh})).await.status, 200);
    assert_eq!(stage.change_password(&ended.access, PASSWORD, NEW_PASSWORD).await.status, 401);
    stage.api.login("alice").await;
}

async fn of_two_that_change_it_at_once_one_gets_through(database: Database) {
    let stage = Stage::with(database, |options| options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "100"));
    let mut sessions = vec![stage.api.newcomer("alice").await];
    for _ in 0..5 {
        sessions.push(stage.api.login("alice").await);
    }
    let wanted: Vec<_> = (0..sessions.len()).map(|n| format!("Battery-staple-{n}x")).collect();
    let calls = sessions.iter().zip(wanted.clone()).map(|(pair, new)| {
        let (api, access) = (stage.api.clone(), pair.access.clone());
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
        assert_eq!(stage.try_login("alice", &wanted[n]).await.status == 200, is_winner);
        assert_eq!(stage.api.me(&sessions[n].access).await.status == 200, is_winner);
    }
    let next = Pair::of(&answers[winners[0]]);
    Pair::of(&stage.api.refresh(&next.refresh).await);
}

async fn a_change_ends_open_links_and_challenges(database: Database) {
    let stage = Stage::of(database);
    let pair = stage.api.newcomer("alice").await;
    stage.enrol_by_mail(&pair, "alice@example.com").await;
    let token = stage.reset_token("alice@example.com").await;
    let before = stage.postbox.letters_to("alice@example.com").len();
    let challenge = challenge_of(&stage.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    let code = stage.postbox.nth("alice@example.com", before + 1).await.code().to_owned();
    Pair::of(&stage.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_no_good(&stage.confirm_reset(&token, PASSWORD).await);
    assert_eq!(stage.answer(&challenge, &code).await.field("code"), "challenge_not_valid");
    challenge_of(&stage.try_login("alice", NEW_PASSWORD).await, &["email", "recovery_code"]);
}

async fn guesses_at_the_old_password_are_counted_as_at_a_login(database: Database) {
    let strict = |options: auth_tests::server::ServerOptions| {
        let options = options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "2");
        options.env("AUTH__THROTTLE__PASSWORD_FIRST_WAIT_SECONDS", "1800")
    };
    let stage = Stage::with(database, strict);
    let pair = stage.api.newcomer("alice").await;
    let wrong = stage.change_password(&pair.access, "Correct-horse-43", NEW_PASSWORD).await;
    assert_refused(&wrong, "old_password", "Wrong password.");
    assert_eq!(stage.try_login("alice", "Correct-horse-44").await.status, 401);
    assert_throttled(&stage.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_ne!(stage.try_login("alice", PASSWORD).await.status, 200);
    // A link does away with the wait.
    let token = stage.reset_token("alice@example.com").await;
    assert_eq!(stage.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
}
