//! Sessions: rotation, revocation and pruning.

use std::num::NonZeroU32;
use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::ports::Swap;
use auth_core::time::Seconds;
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session};
use auth_core::user::User;
use macro_rules_attribute::apply;

use super::TokenHost;
use super::token_fixture::{added, effects, session_now, set_active, started, user_now};
use crate::{at, session_id, session_of, successor_of};

const GENERATION: fn(u32) -> Generation = Generation::new;

#[apply(token_case!)]
async fn rotation_writes_only_the_next_generation(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = started(&*store, &user.id, 1).await;
    let other = started(&*store, &user.id, 2).await;
    let next = NextGeneration { generation: GENERATION(1), rotated_at: at(100), expires_at: at(200) };

    assert_eq!(store.advance(session.id, GENERATION(0), next, &Effects::NONE).await.unwrap(), Swap::Done);

    let expected = Session {
        generation: GENERATION(1),
        rotated_at: at(100),
        last_used_at: at(100),
        expires_at: at(200),
        ..session
    };
    assert_eq!(session_now(&*store, expected.id).await, expected);
    assert_eq!(session_now(&*store, other.id).await, other);
    assert_eq!(user_now(&*store, &user.id).await, user);
    let next = successor_of(&expected, at(150));
    assert_eq!(store.advance(expected.id, GENERATION(1), next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_eq!(session_now(&*store, expected.id).await.current(), next);
}

#[apply(token_case!)]
async fn rotates_only_the_live_generation(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = Session { generation: GENERATION(5), ..session_of(&user.id, session_id(1), at(0)) };
    assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
    for from in [0, 4, 6, 7, Generation::LAST.get()] {
        for next in [from.saturating_add(1), 6] {
            let next = NextGeneration { generation: GENERATION(next), rotated_at: at(1), expires_at: at(2) };
            assert_eq!(
                store.advance(session.id, GENERATION(from), next, &Effects::NONE).await.unwrap(),
                Swap::LostRace,
                "{from}"
            );
            assert_eq!(session_now(&*store, session.id).await, session);
        }
    }
    assert_eq!(
        store.advance(session.id, GENERATION(5), successor_of(&session, at(1)), &Effects::NONE).await.unwrap(),
        Swap::Done
    );
}

#[apply(token_case!)]
async fn refuses_to_advance_a_revoked_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = started(&*store, &user.id, 1).await;
    assert_eq!(
        store.advance(session.id, GENERATION(0), successor_of(&session, at(1)), &Effects::NONE).await.unwrap(),
        Swap::Done
    );
    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(2)).await.unwrap());
    let revoked = session_now(&*store, session.id).await;
    for from in 0..3 {
        let next = NextGeneration { generation: GENERATION(from + 1), rotated_at: at(3), expires_at: at(4) };
        assert_eq!(store.advance(session.id, GENERATION(from), next, &Effects::NONE).await.unwrap(), Swap::LostRace);
        assert_eq!(session_now(&*store, session.id).await, revoked);
    }
}

#[apply(token_case!)]
async fn refuses_to_advance_or_revoke_a_missing_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = started(&*store, &user.id, 1).await;
    let next = successor_of(&session, at(1));
    assert_eq!(store.advance(session_id(2), GENERATION(0), next, &Effects::NONE).await.unwrap(), Swap::LostRace);
    assert!(!store.revoke(session_id(2), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(store.find_session(session_id(2)).await.unwrap(), None);
    assert_eq!(session_now(&*store, session.id).await, session);
}

#[apply(token_case!)]
async fn advances_to_the_last_generation(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let before_last = GENERATION(Generation::LAST.get() - 1);
    let session = Session { generation: before_last, ..session_of(&user.id, session_id(1), at(0)) };
    assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
    let next = successor_of(&session, at(1));
    assert_eq!(store.advance(session.id, before_last, next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_eq!(session_now(&*store, session.id).await.generation, Generation::LAST);
}

/// Expiry and the user's state are checked by the rules, not by the store.
#[apply(token_case!)]
async fn advance_checks_neither_expiry_nor_the_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = started(&*store, &user.id, 1).await;
    set_active(&*host, &user.id, false).await;
    let long_after = session.expires_at.plus(Seconds::new(1_000_000));
    let next = NextGeneration { generation: GENERATION(1), rotated_at: long_after, expires_at: at(0) };
    assert_eq!(store.advance(session.id, GENERATION(0), next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_eq!(session_now(&*store, session.id).await.current(), next);
}

#[apply(token_case!)]
async fn a_second_revocation_changes_nothing(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = started(&*store, &user.id, 100).await;
    for (number, reason) in (1..).zip(RevokeReason::ALL) {
        let session = started(&*store, &user.id, number).await;
        assert!(store.revoke(session.id, reason, &Effects::NONE, at(7)).await.unwrap());
        let revoked = Session { revoked_at: Some(at(7)), revoke_reason: Some(reason), ..session };
        assert_eq!(session_now(&*store, revoked.id).await, revoked);
        for again in RevokeReason::ALL {
            assert!(!store.revoke(revoked.id, again, &Effects::NONE, at(8)).await.unwrap());
        }
        assert_eq!(session_now(&*store, revoked.id).await, revoked);
    }
    assert_eq!(session_now(&*store, other.id).await, other);
    assert_eq!(user_now(&*store, &user.id).await, user, "revoking one session does not advance the epoch");
}

/// A store without an outbox ignores the emails.
#[apply(token_case!)]
async fn a_reused_session_is_revoked_once(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let (session, other) = (started(&*store, &user.id, 1).await, started(&*store, &user.id, 2).await);
    assert!(store.revoke(session.id, RevokeReason::Reuse, &effects(&[1, 2]), at(5)).await.unwrap());
    assert!(!store.revoke(session.id, RevokeReason::Reuse, &effects(&[3]), at(6)).await.unwrap());
    assert!(!store.revoke(session_id(3), RevokeReason::Reuse, &effects(&[4]), at(6)).await.unwrap());
    assert!(!store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(6)).await.unwrap());
    assert!(store.revoke(other.id, RevokeReason::Logout, &Effects::NONE, at(6)).await.unwrap());
    assert!(!store.revoke(other.id, RevokeReason::Reuse, &effects(&[5]), at(7)).await.unwrap());
    let expected = Session { revoked_at: Some(at(5)), revoke_reason: Some(RevokeReason::Reuse), ..session };
    assert_eq!(session_now(&*store, expected.id).await, expected);
    assert_eq!(session_now(&*store, other.id).await.revoke_reason, Some(RevokeReason::Logout));
    assert_eq!(user_now(&*store, &user.id).await, user);
}

#[apply(token_case!)]
async fn revoke_all_spares_the_kept_session_and_other_accounts(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = added(&*host, "other").await;
    let (keep, one, two, ended) = (
        started(&*store, &user.id, 1).await,
        started(&*store, &user.id, 2).await,
        started(&*store, &user.id, 3).await,
        started(&*store, &user.id, 4).await,
    );
    let spared = started(&*store, &other.id, 5).await;
    assert!(store.revoke(ended.id, RevokeReason::Logout, &Effects::NONE, at(3)).await.unwrap());

    assert_eq!(
        store.revoke_all(&user.id, Some(keep.id), RevokeReason::LogoutAll, &Effects::NONE, at(5)).await.unwrap(),
        Some(2)
    );

    let by = |reason, moment, session| Session { revoked_at: Some(moment), revoke_reason: Some(reason), ..session };
    for expected in [
        keep.clone(),
        by(RevokeReason::LogoutAll, at(5), one),
        by(RevokeReason::LogoutAll, at(5), two),
        by(RevokeReason::Logout, at(3), ended),
        spared,
    ] {
        assert_eq!(session_now(&*store, expected.id).await, expected);
    }
    assert_eq!(user_now(&*store, &other.id).await, other);
    // A kept session can be revoked later.
    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::Administrator, &Effects::NONE, at(6)).await.unwrap(),
        Some(1)
    );
    let kept = session_now(&*store, keep.id).await;
    assert_eq!(kept, by(RevokeReason::Administrator, at(6), keep));
}

#[apply(token_case!)]
async fn revoke_all_keeps_only_a_live_session_of_the_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = added(&*host, "other").await;
    let foreign = started(&*store, &other.id, 1).await;
    let ended = started(&*store, &user.id, 2).await;
    assert!(store.revoke(ended.id, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    for (number, keep) in [(3, foreign.id), (4, ended.id), (5, session_id(100))] {
        let session = started(&*store, &user.id, number).await;
        assert_eq!(
            store.revoke_all(&user.id, Some(keep), RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap(),
            Some(1)
        );
        assert_eq!(session_now(&*store, session.id).await.revoked_at, Some(at(2)));
    }
    assert_eq!(session_now(&*store, foreign.id).await, foreign);
    assert_eq!(session_now(&*store, ended.id).await.revoked_at, Some(at(1)));
}

#[apply(token_case!)]
async fn revoke_all_advances_the_epoch_without_live_sessions(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = added(&*host, "other").await;
    for (now, keep) in [(at(1), None), (at(2), Some(session_id(1)))] {
        assert_eq!(
            store.revoke_all(&user.id, keep, RevokeReason::LogoutAll, &Effects::NONE, now).await.unwrap(),
            Some(0)
        );
        let security_stamp = user_now(&*store, &user.id).await.security_stamp;
        assert_eq!(user_now(&*store, &user.id).await, User { token_epoch: now, security_stamp, ..user.clone() });
    }
    assert_eq!(user_now(&*store, &other.id).await, other);
}

/// A login that read the old epoch must not start a session, even if the clock was set back.
#[apply(token_case!)]
async fn revoke_all_advances_the_epoch_whatever_the_clock_says(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for (now, expected) in [(at(100), at(100)), (at(100), at(101)), (at(50), at(102)), (at(200), at(200))] {
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, now).await.unwrap();
        assert_eq!(user_now(&*store, &user.id).await.token_epoch, expected);
    }
}

#[apply(token_case!)]
async fn prunes_only_expired_sessions(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for (number, expires_at) in [(1, at(101)), (2, at(99)), (3, at(100)), (4, at(98)), (5, at(98))] {
        let session = Session { expires_at, ..session_of(&user.id, session_id(number), at(0)) };
        assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
    }
    // A revoked session is kept until it expires, so that its tokens are recognised. A rotation changes the expiry.
    assert!(store.revoke(session_id(1), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    assert!(store.revoke(session_id(4), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    let next = NextGeneration { generation: GENERATION(1), rotated_at: at(97), expires_at: at(110) };
    assert_eq!(store.advance(session_id(5), GENERATION(0), next, &Effects::NONE).await.unwrap(), Swap::Done);

    assert_eq!(store.prune_sessions(at(100), 10).await.unwrap(), 2);

    for (number, is_left) in [(1, true), (2, false), (3, true), (4, false), (5, true)] {
        assert_eq!(store.find_session(session_id(number)).await.unwrap().is_some(), is_left, "session {number}");
    }
    assert_eq!(store.prune_sessions(at(100), 10).await.unwrap(), 0);
    assert_eq!(user_now(&*store, &user.id).await, user);
}

#[apply(token_case!)]
async fn prunes_no_more_sessions_than_the_limit(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for number in 0..7 {
        started(&*store, &user.id, number).await;
    }
    let long_after = at(10_000_000);
    for (limit, expected, left) in [(0, 0, 7), (3, 3, 4), (3, 3, 1), (u32::MAX, 1, 0), (3, 0, 0)] {
        assert_eq!(store.prune_sessions(long_after, limit).await.unwrap(), expected);
        let mut found = 0;
        for number in 0..7 {
            found += usize::from(store.find_session(session_id(number)).await.unwrap().is_some());
        }
        assert_eq!(found, left);
    }
}

#[apply(token_case!)]
async fn the_session_limit_revokes_the_least_recently_used(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let (alice, bob) = (added(&*host, "alice").await, added(&*host, "bob").await);
    let most = |most| NonZeroU32::new(most).unwrap();
    let start = async |number: u64, user: &User, last_used_at: i64| {
        let session = session_of(&user.id, session_id(number), at(0));
        let session = Session { last_used_at: at(last_used_at), ..session };
        assert!(store.start(&session, user, None, &Effects::NONE).await.unwrap());
    };
    for (number, last_used_at) in [(1, 40), (2, 10), (3, 30), (4, 20), (5, 50), (6, 5)] {
        start(number, &alice, last_used_at).await;
    }
    start(7, &bob, 1).await;
    assert!(store.revoke(session_id(5), RevokeReason::Logout, &Effects::NONE, at(60)).await.unwrap());
    let expired = Session { expires_at: at(60), ..session_of(&alice.id, session_id(8), at(0)) };
    assert!(store.start(&expired, &alice, None, &Effects::NONE).await.unwrap());
    let end = async |keep, limit| {
        let mut ended = store.end_surplus(&alice.id, session_id(keep), most(limit), at(60)).await.unwrap();
        ended.sort_unstable();
        ended
    };
    // Five live sessions: 1, 3, 4, 2, 6 in order of last use.
    assert_eq!(end(6, 5).await, []);
    assert_eq!(end(6, 3).await, [2, 4].map(session_id), "the kept session counts and is not revoked");
    assert_eq!(end(6, 3).await, []);
    assert_eq!(end(5, 2).await, [session_id(6)], "a revoked session does not count");
    assert_eq!(end(1, 1).await, [session_id(3)]);
    for (number, reason) in [
        (1, None),
        (2, Some(RevokeReason::SessionLimit)),
        (3, Some(RevokeReason::SessionLimit)),
        (5, Some(RevokeReason::Logout)),
        (7, None),
        (8, None),
    ] {
        let session = session_now(&*store, session_id(number)).await;
        assert_eq!(session.revoke_reason, reason, "{number}");
        assert_eq!(session.revoked_at, reason.map(|_| at(60)), "{number}");
    }
}
