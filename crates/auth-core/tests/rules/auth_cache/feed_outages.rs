//! Outages of the invalidation feed: every request reads the storage, or is refused.

use super::*;
use auth_core::effects::Effects;

#[tokio::test]
async fn a_failing_feed_suspends_the_cache_and_a_gap_clears_it() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.register_and_login("alice").await);
    let gone = service.login("alice").await;
    assert!(fixture.cost(&access_of(&gone)).await.1);
    fixture.feed_returns(Err(StoreError::unavailable("connection lost"))).await;
    assert_eq!((fixture.auth_cache.staleness(), fixture.failures.load(Ordering::SeqCst)), (Some(WhenStale::Read), 1));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    // Another process revokes the session during the outage.
    let now = auth_core::ports::Clock::now(&*service.clock);
    service.store.revoke(fixture.session(&gone), RevokeReason::Logout, &Effects::NONE, now).await.unwrap();
    service.advance(1);
    fixture.feed_returns(Ok(vec![Change::Gap])).await;
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    assert!(!fixture.cost(&access_of(&gone)).await.1, "it was revoked during the outage");
}

#[tokio::test]
async fn a_hanging_feed_suspends_the_cache() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let pair = fixture.register_and_login("alice").await;
    assert!(fixture.cost(&access_of(&pair)).await.1);
    assert_eq!(fixture.auth_cache.staleness(), None);
    for _ in 0..3 {
        fixture.service.advance(1);
        yield_now().await;
    }
    assert_eq!(fixture.auth_cache.staleness(), Some(WhenStale::Read));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
}

#[tokio::test]
async fn a_failing_feed_refuses_every_request_under_the_policy_refuse() {
    let fixture = cached_service(policy(), AuthCachePolicy { when_stale: WhenStale::Refuse, ..with_many_entries() });
    let pair = fixture.register_and_login("alice").await;
    let refused = async || fixture.service.tokens.authenticate(&access_of(&pair)).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
    fixture.start().await;
    assert!(refused().await.is_ok());
    fixture.feed_returns(Err(StoreError::unavailable("connection lost"))).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn a_cache_without_a_follower_is_not_used() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let pair = fixture.register_and_login("alice").await;
    assert!(fixture.cost(&access_of(&pair)).await.1);
    fixture.follower.abort();
    yield_now().await;
    assert_eq!(fixture.auth_cache.staleness(), Some(WhenStale::Read));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
}
