//! Challenges of an account: how many can be requested, and how many are open.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::OnBothDatabases;
use auth_tests::{Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::block_in_place;

use super::users::{TestUser, assert_refused, reset_last_steps};
use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![OnBothDatabases => at_most_twenty_challenges_are_open]
}

const METHODS: [&str; 2] = ["totp", "recovery_code"];
const PER_HOUR: usize = 25;

/// Returns how many login challenges are stored, and how many of them are open.
fn login_challenges(fixture: &Fixture) -> [String; 2] {
    ["", "AND consumed_at IS NULL"].map(|open| {
        let sql = format!("SELECT count(*) FROM one_time_codes WHERE purpose = 'login' {open}");
        block_in_place(|| fixture.database.query(&sql).remove(0))
    })
}

async fn at_most_twenty_challenges_are_open(database: Database) {
    let fixture = Fixture::with(database, |options| {
        options.env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", &PER_HOUR.to_string())
    });
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    let mut challenges = Vec::new();
    for _ in 0..PER_HOUR {
        challenges.push(alice.login_challenge(&METHODS).await);
        // Ages all challenges by a second, so that their order is known.
        fixture.age_codes("alice", 1);
    }
    assert_eq!(login_challenges(&fixture), ["25", "20"]);
    // The hourly limit; challenges requested with an access token count separately.
    assert_throttled(&alice.try_login().await);
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    assert_eq!(alice.post("challenge/", json!({})).await.status, 200);
    assert_eq!(login_challenges(&fixture), ["25", "20"]);

    reset_last_steps(&fixture);
    for closed in &challenges[..5] {
        assert_refused(&fixture.answer_challenge(closed, &authenticator.code(0)).await, "challenge_not_valid");
    }
    TokenPair::of(&fixture.answer_challenge(&challenges[5], &authenticator.code(0)).await);
}
