//! Sessions: which of them have ended of late.

use std::collections::HashSet;
use std::sync::Arc;

use auth_core::ports::{Store, Swap};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{RevokeReason, SessionId};

use super::setting::{started, stored};
use crate::{at, hash_of, session_id, successor_of};

/// The numbers of the sessions that ended then or later; each is named once.
async fn ended_since(store: &impl Store, since: UnixTime) -> HashSet<SessionId> {
    let ended = store.ended_since(since).await.unwrap();
    let all: HashSet<_> = ended.iter().copied().collect();
    assert_eq!(all.len(), ended.len(), "{ended:?}");
    all
}

fn sessions(numbers: &[u64]) -> HashSet<SessionId> {
    numbers.iter().copied().map(session_id).collect()
}

pub(crate) async fn sessions_that_ended_at_a_moment_or_later_are_found(store: Arc<impl Store>) {
    assert_eq!(ended_since(&*store, at(0)).await, sessions(&[]));
    let (alice, bob) = (stored(&*store, "alice").await, stored(&*store, "bob").await);
    for (number, user, ended_at) in [(1, &alice, 99), (2, &alice, 100), (3, &bob, 100), (4, &bob, 101), (5, &alice, 50)]
    {
        started(&*store, user.id, number).await;
        assert!(store.revoke(session_id(number), RevokeReason::Logout, at(ended_at)).await.unwrap());
    }
    for (since, expected) in [
        (at(102), &[][..]),
        (at(101), &[4]),
        (at(100), &[2, 3, 4]),
        (at(99), &[1, 2, 3, 4]),
        (at(51), &[1, 2, 3, 4]),
        (at(50), &[1, 2, 3, 4, 5]),
        (UnixTime::default(), &[1, 2, 3, 4, 5]),
        (UnixTime::MAX, &[]),
    ] {
        assert_eq!(ended_since(&*store, since).await, sessions(expected), "{since:?}");
    }
    // The first end is the one that counts.
    assert!(!store.revoke(session_id(5), RevokeReason::LogoutAll, at(200)).await.unwrap());
    assert_eq!(ended_since(&*store, at(150)).await, sessions(&[]));
}

pub(crate) async fn every_way_to_end_a_session_is_found(store: Arc<impl Store>) {
    let (alice, bob, cid) =
        (stored(&*store, "alice").await, stored(&*store, "bob").await, stored(&*store, "cid").await);
    for (number, user) in [(1, &alice), (2, &alice), (3, &alice), (4, &bob), (5, &bob), (6, &cid), (7, &cid)] {
        started(&*store, user.id, number).await;
    }
    assert!(store.revoke(session_id(7), RevokeReason::Reuse, at(9)).await.unwrap());
    assert_eq!(store.revoke_all(alice.id, Some(session_id(2)), RevokeReason::LogoutAll, at(10)).await.unwrap(), 2);
    assert!(store.set_password(bob.id, &hash_of("new"), at(11)).await.unwrap());
    assert_eq!(store.revoke_all(cid.id, None, RevokeReason::Administrator, at(12)).await.unwrap(), 1);
    for (since, expected) in [
        (at(9), &[1, 3, 4, 5, 6, 7][..]),
        (at(10), &[1, 3, 4, 5, 6]),
        (at(11), &[4, 5, 6]),
        (at(12), &[6]),
        (at(13), &[]),
    ] {
        assert_eq!(ended_since(&*store, since).await, sessions(expected), "{since:?}");
    }
}

pub(crate) async fn what_has_not_ended_is_not_found_among_the_ended(store: Arc<impl Store>) {
    let (alice, bob) = (stored(&*store, "alice").await, stored(&*store, "bob").await);
    let rotated = started(&*store, alice.id, 1).await;
    let next = successor_of(&rotated, at(5));
    assert_eq!(store.advance(rotated.id, rotated.generation, next).await.unwrap(), Swap::Done);
    assert!(store.set_active(alice.id, false).await.unwrap());
    started(&*store, bob.id, 2).await;
    assert!(store.revoke(session_id(2), RevokeReason::Logout, at(5)).await.unwrap());
    assert_eq!(ended_since(&*store, UnixTime::default()).await, sessions(&[2]));
    // What is deleted or forgotten is not known any more.
    assert!(store.delete(bob.id).await.unwrap());
    assert_eq!(ended_since(&*store, UnixTime::default()).await, sessions(&[]));
    assert!(store.revoke(rotated.id, RevokeReason::Logout, at(6)).await.unwrap());
    assert_eq!(ended_since(&*store, at(6)).await, sessions(&[1]));
    assert_eq!(store.prune_sessions(next.expires_at.plus(Seconds::new(1)), 10).await.unwrap(), 1);
    assert_eq!(ended_since(&*store, UnixTime::default()).await, sessions(&[]));
}
