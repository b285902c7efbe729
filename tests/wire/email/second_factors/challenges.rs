//! Challenges of an account: how many there are, and how many are open.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::OnBothDatabases;
use auth_tests::{Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::block_in_place;

use super::users::{Person, assert_refused, forget_last_steps};
use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![OnBothDatabases => twenty_are_open_and_the_oldest_ends]
}

const METHODS: [&str; 2] = ["totp", "recovery_code"];
const AN_HOUR: usize = 25;

/// How many rows there are of challenges of a login, and how many of them are open.
fn logins(fixture: &Fixture) -> [String; 2] {
    ["", "AND consumed_at IS NULL"].map(|open| {
        let sql = format!("SELECT count(*) FROM one_time_codes WHERE purpose = 'login' {open}");
        block_in_place(|| fixture.database.query(&sql).remove(0))
    })
}

async fn twenty_are_open_and_the_oldest_ends(database: Database) {
    let fixture = Fixture::with(database, |options| {
        options.env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", &AN_HOUR.to_string())
    });
    let alice = Person::registered(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    let mut challenges = Vec::new();
    for _ in 0..AN_HOUR {
        challenges.push(alice.asked(&METHODS).await);
        // Each a second older, so that it is known which is the oldest.
        fixture.age_codes("alice", 1);
    }
    assert_eq!(logins(&fixture), ["25", "20"]);
    // The limit of an hour; what a stolen token asks for is counted apart.
    assert_throttled(&alice.try_login().await);
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    assert_eq!(alice.post("challenge/", json!({})).await.status, 200);
    assert_eq!(logins(&fixture), ["25", "20"]);

    forget_last_steps(&fixture);
    for ended in &challenges[..5] {
        assert_refused(&fixture.answer(ended, &authenticator.code(0)).await, "challenge_not_valid");
    }
    TokenPair::of(&fixture.answer(&challenges[5], &authenticator.code(0)).await);
}
