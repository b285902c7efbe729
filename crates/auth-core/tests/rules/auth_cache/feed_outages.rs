//! Outages of the feed: every request is a read, or is refused.

use super::*;
use auth_core::effects::Effects;

#[tokio::test]
async fn while_the_feed_fails_the_storage_is_asked_and_afterwards_nothing_was_missed() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    let gone = service.login("alice").await;
    assert!(fixture.cost(&access_of(&gone)).await.1);
    fixture.say(Err(StoreError::unavailable("away"))).await;
    assert_eq!((fixture.auth_cache.staleness(), fixture.failures.load(Ordering::SeqCst)), (Some(WhenStale::Read), 1));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    // Ended by another process while nobody listened.
    let now = auth_core::ports::Clock::now(&*service.clock);
    service.store.revoke(fixture.session(&gone), RevokeReason::Logout, &Effects::NONE, now).await.unwrap();
    service.advance(1);
    fixture.say(Ok(vec![Change::Gap])).await;
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    assert!(!fixture.cost(&access_of(&gone)).await.1, "it was ended while the feed was away");
}

#[tokio::test]
async fn a_feed_that_hangs_is_not_waited_for() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let pair = fixture.newcomer("alice").await;
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
async fn nobody_is_let_in_while_the_feed_fails_where_that_is_wanted() {
    let fixture = cached_service(policy(), AuthCachePolicy { when_stale: WhenStale::Refuse, ..for_many(VIEWS) });
    let pair = fixture.newcomer("alice").await;
    let refused = async || fixture.service.tokens.authenticate(&access_of(&pair)).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
    fixture.start().await;
    assert!(refused().await.is_ok());
    fixture.say(Err(StoreError::unavailable("away"))).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn views_that_nobody_follows_any_more_are_not_used() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let pair = fixture.newcomer("alice").await;
    assert!(fixture.cost(&access_of(&pair)).await.1);
    fixture.follower.abort();
    yield_now().await;
    assert_eq!(fixture.auth_cache.staleness(), Some(WhenStale::Read));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
}
