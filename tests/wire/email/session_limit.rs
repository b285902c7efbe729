//! The session limit (`accounts.max_sessions`).

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::{Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use tokio::task::block_in_place;

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnBothDatabases =>
            a_login_over_the_limit_revokes_the_least_recently_used_session,
            concurrent_logins_keep_the_limit,
    ]
}

fn with_three_sessions(database: Database) -> Fixture {
    Fixture::with(database, |options| options.env("AUTH__ACCOUNTS__MAX_SESSIONS", "3"))
}

async fn a_login_over_the_limit_revokes_the_least_recently_used_session(database: Database) {
    let fixture = with_three_sessions(database);
    let first = fixture.register_and_login("alice").await;
    let second = fixture.login("alice").await;
    let third = fixture.login("alice").await;
    let other = fixture.register_and_login("bob").await;
    // All sessions were used a minute ago, the first and the third again just now.
    fixture.age_sessions(60);
    let first = TokenPair::of(&fixture.client.refresh(&first.refresh).await);
    let third = TokenPair::of(&fixture.client.refresh(&third.refresh).await);
    assert_eq!(fixture.client.me(&second.access).await.status, 200);

    let fourth = fixture.login("alice").await;

    assert_eq!(fixture.client.refresh(&second.refresh).await.status, 401);
    assert_eq!(fixture.client.me(&second.access).await.status, 401);
    for pair in [first, third, fourth, other] {
        assert_eq!(fixture.client.me(&pair.access).await.status, 200);
        TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    }
    let revoked = "SELECT revoke_reason FROM sessions WHERE revoked_at IS NOT NULL";
    assert_eq!(block_in_place(|| fixture.database.query(revoked)), ["session_limit"]);
    eventually("an event", async || fixture.server.log().matches("session_limit_reached").count() == 1).await;
}

async fn concurrent_logins_keep_the_limit(database: Database) {
    let fixture = with_three_sessions(database);
    fixture.register("alice").await;
    let calls = (0..9).map(|_| {
        let client = fixture.client.clone();
        async move { client.try_login("alice", PASSWORD).await }
    });
    run_concurrently(calls).await.iter().for_each(|answer| drop(TokenPair::of(answer)));
    let live = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL";
    assert_eq!(block_in_place(|| fixture.database.query(live)), ["3"]);
}
