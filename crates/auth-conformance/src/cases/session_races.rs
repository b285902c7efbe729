//! Sessions: which of several concurrent calls succeed, and what must always hold.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Swap, TokenStore};
use auth_core::time::UnixTime;
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session};
use macro_rules_attribute::apply;

use super::TokenHost;
use super::concurrency::{Gate, ROUNDS, answers, count};
use super::token_fixture::{added, jti_of, session_now, set_active, started, user_now};
use crate::{at, session_id, session_of, successor_of};

/// Rotates a session until a rotation is refused. Returns the number of rotations.
pub(super) async fn rotate_on(store: Arc<dyn TokenStore>, mut session: Session) -> u32 {
    for rotations in 0..20 {
        let next = successor_of(&session, at(1));
        if store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap() == Swap::LostRace {
            return rotations;
        }
        session.generation = next.generation;
    }
    20
}

pub(super) async fn assert_revoked(store: &dyn TokenStore, session: &Session, moment: UnixTime) {
    let left = session_now(store, session.id).await;
    assert_eq!(left.revoked_at, Some(moment));
    let next = successor_of(&left, at(1));
    assert_eq!(store.advance(left.id, left.generation, next, &Effects::NONE).await.unwrap(), Swap::LostRace);
    assert_eq!(session_now(store, session.id).await, left);
}

#[apply(token_case!)]
async fn one_of_many_rotations_succeeds(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, &user.id, round).await;
        let gate = Gate::of(8, round, &store);
        let next =
            |rival| NextGeneration { generation: Generation::new(1), rotated_at: at(rival), expires_at: at(rival) };
        let rivals = (0..8).map(|rival| {
            gate.send(move |store| async move {
                store.advance(session.id, Generation::FIRST, next(rival), &Effects::NONE).await.unwrap()
            })
        });
        let swaps = answers(rivals.collect()).await;
        assert_eq!(count(&swaps, |swap| *swap == Swap::Done), 1);
        let winner = swaps.iter().position(|swap| *swap == Swap::Done).unwrap();
        assert_eq!(session_now(&*store, session.id).await.current(), next(winner as i64));
    }
}

#[apply(token_case!)]
async fn a_rotation_never_revives_a_revoked_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, &user.id, round).await;
        let gate = Gate::of(2, round, &store);
        let rotating = session.clone();
        let rotations = gate.send(|store| rotate_on(store, rotating));
        let end = gate.send(move |store| async move {
            store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(5)).await.unwrap()
        });
        assert!(end.await.unwrap());
        let rotations = rotations.await.unwrap();
        assert_revoked(&*store, &session, at(5)).await;
        assert_eq!(session_now(&*store, session.id).await.generation.get(), rotations);
    }
}

#[apply(token_case!)]
async fn one_of_many_revocations_succeeds(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, &user.id, round).await;
        let gate = Gate::of(RevokeReason::ALL.len(), round, &store);
        let rivals = RevokeReason::ALL.map(|reason| {
            gate.send(
                move |store| async move { store.revoke(session.id, reason, &Effects::NONE, at(5)).await.unwrap() },
            )
        });
        let ended = answers(rivals.into()).await;
        assert_eq!(count(&ended, |ended| *ended), 1);
        let first = ended.iter().position(|ended| *ended).map(|winner| RevokeReason::ALL[winner]);
        assert_eq!(session_now(&*store, session.id).await.revoke_reason, first);
    }
}

#[apply(token_case!)]
async fn concurrent_revoke_all_calls_revoke_each_session_once(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await.id;
    for round in 0..ROUNDS {
        for number in 0..3 {
            started(&*store, &user, 3 * round + number).await;
        }
        let gate = Gate::of(4, round, &store);
        let now = at(round as i64 + 1);
        let rivals = (0..4).map(|_| {
            gate.send_for(&user, async move |store, user| {
                store.revoke_all(&user, None, RevokeReason::LogoutAll, &Effects::NONE, now).await.unwrap()
            })
        });
        assert_eq!(answers(rivals.collect()).await.into_iter().sum::<Option<usize>>(), Some(3));
    }
}

/// Each call adopts the same token and then rotates it. There is one session, so one rotation succeeds.
#[apply(token_case!)]
async fn concurrent_adoptions_of_one_token_create_one_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for round in 0..ROUNDS {
        let session = session_of(&user.id, session_id(round), at(0));
        let gate = Gate::of(6, round, &store);
        let rivals = (0..6).map(|_| {
            let session = session.clone();
            gate.send(move |store| async move {
                let adoption = store.adopt(&session, &jti_of(&session), None).await.unwrap();
                let next = successor_of(&session, at(1));
                (adoption, store.advance(session.id, Generation::FIRST, next, &Effects::NONE).await.unwrap())
            })
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |(adoption, _)| *adoption == Adoption::Present), 6);
        assert_eq!(count(&rivals, |(_, swap)| *swap == Swap::Done), 1);
        assert_eq!(session_now(&*store, session.id).await.generation, Generation::new(1));
    }
    assert_eq!(store.prune_sessions(UnixTime::MAX, u32::MAX).await.unwrap() as u64, ROUNDS);
}

#[apply(token_case!)]
async fn no_session_outlives_its_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    for round in 0..ROUNDS {
        let user = added(&*host, &format!("user{round}")).await;
        let id = user.id.clone();
        let (login, adoption) =
            (session_of(&id, session_id(2 * round), at(0)), session_of(&id, session_id(2 * round + 1), at(0)));
        let ids = [login.id, adoption.id];
        let gate = Gate::of(3, round, &store);
        let login =
            gate.send(move |store| async move { store.start(&login, &user, None, &Effects::NONE).await.unwrap() });
        let adoption =
            gate.send(move |store| async move { store.adopt(&adoption, &jti_of(&adoption), None).await.unwrap() });
        let deleting = Arc::clone(&host);
        let deletion = gate.send(async move |_| deleting.delete_user(&id).await);
        deletion.await.unwrap();
        login.await.unwrap();
        assert_ne!(adoption.await.unwrap(), Adoption::Refused);
        for id in ids {
            assert_eq!(store.find_session(id).await.unwrap(), None);
        }
    }
    assert_eq!(store.prune_sessions(UnixTime::MAX, u32::MAX).await.unwrap(), 0);
}

#[apply(token_case!)]
async fn no_session_starts_after_a_deactivation(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for round in 0..ROUNDS {
        let gate = Gate::of(2, round, &store);
        let is_inactive = Arc::new(AtomicBool::new(false));
        let (id, caller, answered) = (user.id.clone(), user_now(&*store, &user.id).await, Arc::clone(&is_inactive));
        let logins = gate.send_for(&id, async move |store, id| {
            let mut started_too_late = false;
            for number in 0..16 {
                let session = session_of(&id, session_id(16 * round + number), at(0));
                let is_late = is_inactive.load(Ordering::SeqCst);
                started_too_late |= store.start(&session, &caller, None, &Effects::NONE).await.unwrap() && is_late;
            }
            started_too_late
        });
        let changing = Arc::clone(&host);
        let end = gate.send_for(&id, async move |_, id| {
            set_active(&*changing, &id, false).await;
            answered.store(true, Ordering::SeqCst);
        });
        end.await.unwrap();
        assert!(!logins.await.unwrap());
        set_active(&*host, &id, true).await;
    }
}

/// Pruning must check the expiry when it deletes a session, not only when it selects it.
#[apply(token_case!)]
async fn pruning_spares_a_session_rotated_meanwhile(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await.id;
    let (now, later) = (at(1_000_000), at(2_000_000));
    for round in 0..ROUNDS {
        let mut sessions = Vec::new();
        for number in 0..4 {
            sessions.push(started(&*store, &user, 4 * round + number).await.id);
        }
        let gate = Gate::of(6, round, &store);
        let next = NextGeneration { generation: Generation::new(1), rotated_at: now, expires_at: later };
        let rotations = sessions.iter().copied().map(|session| {
            gate.send(move |store| async move {
                store.advance(session, Generation::FIRST, next, &Effects::NONE).await.unwrap()
            })
        });
        let rotations = rotations.collect();
        let prunings =
            (0..2).map(|_| gate.send(move |store| async move { store.prune_sessions(now, 4).await.unwrap() }));
        let pruned: usize = answers(prunings.collect()).await.iter().sum();
        let rotations = answers(rotations).await;
        assert_eq!(
            pruned,
            count(&rotations, |swap| *swap == Swap::LostRace),
            "each session is either pruned once or rotated"
        );
        for (session, swap) in sessions.into_iter().zip(rotations) {
            assert_eq!(store.find_session(session).await.unwrap().is_some(), swap == Swap::Done);
        }
    }
}

#[apply(token_case!)]
async fn concurrent_logins_do_not_exceed_the_session_limit(host: Arc<dyn TokenHost>) {
    let store = host.store();
    for round in 0..ROUNDS {
        let user = added(&*host, &format!("user{round}")).await;
        let gate = Gate::of(6, round, &store);
        let logins = (0..6).map(|login| {
            let (id, user) = (session_id(6 * round + login), user.clone());
            gate.send(move |store| async move {
                assert!(store.start(&session_of(&user.id, id, at(0)), &user, None, &Effects::NONE).await.unwrap());
                store.end_surplus(&user.id, id, NonZeroU32::new(2).unwrap(), at(1)).await.unwrap()
            })
        });
        let ended = answers(logins.collect()).await.into_iter().flatten().count();
        let mut live = 0;
        for login in 0..6 {
            live += usize::from(session_now(&*store, session_id(6 * round + login)).await.revoked_at.is_none());
        }
        assert_eq!((live, ended), (2, 4), "each surplus session is revoked once");
    }
}

/// In an incorrect store, calls that lock the same rows in different orders deadlock or fail.
#[apply(token_case!)]
async fn concurrent_token_calls_for_one_user_do_not_fail(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let id = added(&*host, "alice").await.id;
    for round in 0..ROUNDS {
        let [one, two, three] = [0, 1, 2].map(|place| session_id(5 * round + place));
        for session in [one, two, three] {
            assert!(
                store
                    .start(&session_of(&id, session, at(0)), &user_now(&*store, &id).await, None, &Effects::NONE)
                    .await
                    .unwrap()
            );
        }
        let [login, adoption] = [3, 4].map(|place| session_of(&id, session_id(5 * round + place), at(0)));
        let (user, now, most) = (user_now(&*store, &id).await, at(round as i64 + 1), NonZeroU32::MIN);
        let next = NextGeneration { generation: Generation::new(1), rotated_at: now, expires_at: at(1_000) };
        let gate = Gate::of(9, round, &store);
        let calls = vec![
            gate.send(async move |s| s.start(&login, &user, Some(now.into()), &Effects::NONE).await.map(drop)),
            gate.send(async move |s| s.adopt(&adoption, &jti_of(&adoption), None).await.map(drop)),
            gate.send(async move |s| s.advance(one, Generation::FIRST, next, &Effects::NONE).await.map(drop)),
            gate.send(async move |s| s.revoke(one, RevokeReason::Logout, &Effects::NONE, now).await.map(drop)),
            gate.send(async move |s| s.revoke(two, RevokeReason::Reuse, &Effects::default(), now).await.map(drop)),
            gate.send_for(&id, async move |s, id| s.end_surplus(&id, three, most, now).await.map(drop)),
            gate.send_for(&id, async move |s, id| {
                s.revoke_all(&id, Some(three), RevokeReason::LogoutAll, &Effects::NONE, now).await.map(drop)
            }),
            gate.send_for(&id, async move |s, id| {
                s.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, now).await.map(drop)
            }),
            gate.send(async move |s| s.prune_sessions(at(0), 10).await.map(drop)),
        ];
        for answer in answers(calls).await {
            answer.unwrap();
        }
        assert!(session_now(&*store, one).await.revoked_at.is_some());
    }
}
