//! Sessions: which calls succeed when calls are concurrent, and what must hold in any case.

use std::num::NonZeroU32;
use std::sync::Arc;

use auth_accounts::ports::Store;
use auth_core::ports::{Adoption, Swap};
use auth_core::time::UnixTime;
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session};
use auth_core::user::UserId;
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::{jti_of, password_set, session_now, started, stored, user_now};
use crate::{at, session_id, session_of, successor_of};

/// Rotates a session until a rotation is refused. Returns the number of rotations.
async fn rotate_on(store: Arc<dyn Store>, mut session: Session) -> u32 {
    for rotations in 0..20 {
        let next = successor_of(&session, at(1));
        if store.advance(session.id, session.generation, next).await.unwrap() == Swap::LostRace {
            return rotations;
        }
        session.generation = next.generation;
    }
    20
}

async fn assert_dead(store: &dyn Store, session: &Session, moment: UnixTime) {
    let left = session_now(store, session.id).await;
    assert_eq!(left.revoked_at, Some(moment));
    let next = successor_of(&left, at(1));
    assert_eq!(store.advance(left.id, left.generation, next).await.unwrap(), Swap::LostRace);
    assert_eq!(session_now(store, session.id).await, left);
}

#[apply(storage_case!)]
async fn one_of_many_rotations_wins(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, user.id, round).await;
        let gate = Gate::of(8, round, &store);
        let next =
            |rival| NextGeneration { generation: Generation::new(1), rotated_at: at(rival), expires_at: at(rival) };
        let rivals = (0..8).map(|rival| {
            gate.send(
                move |store| async move { store.advance(session.id, Generation::FIRST, next(rival)).await.unwrap() },
            )
        });
        let swaps = answers(rivals.collect()).await;
        assert_eq!(count(&swaps, |swap| *swap == Swap::Done), 1);
        let winner = swaps.iter().position(|swap| *swap == Swap::Done).unwrap();
        assert_eq!(session_now(&*store, session.id).await.current(), next(winner as i64));
    }
}

#[apply(storage_case!)]
async fn a_rotation_never_revives_a_revoked_session(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, user.id, round).await;
        let gate = Gate::of(2, round, &store);
        let rotating = session.clone();
        let rotations = gate.send(|store| rotate_on(store, rotating));
        let end =
            gate.send(move |store| async move { store.revoke(session.id, RevokeReason::Logout, at(5)).await.unwrap() });
        assert!(end.await.unwrap());
        let rotations = rotations.await.unwrap();
        assert_dead(&*store, &session, at(5)).await;
        assert_eq!(session_now(&*store, session.id).await.generation.get(), rotations);
    }
}

#[apply(storage_case!)]
async fn a_rotation_never_survives_the_end_of_all_sessions(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let now = at(round as i64 + 1);
        let sessions = [started(&*store, user, 2 * round).await, started(&*store, user, 2 * round + 1).await];
        let gate = Gate::of(3, round, &store);
        let rotations = sessions.clone().map(|session| gate.send(|store| rotate_on(store, session)));
        let end = gate.send(move |store| async move { end_all(&*store, user, round, now).await });
        let ended = end.await.unwrap();
        answers(rotations.into()).await;
        assert!(ended.is_none_or(|ended| ended == 2));
        for session in &sessions {
            assert_dead(&*store, session, now).await;
        }
    }
}

/// Ends all sessions of an account: by a logout from all in even rounds, by a new password in odd ones. Returns how
/// many ended, if the store reports it.
async fn end_all(store: &dyn Store, user: UserId, round: u64, now: UnixTime) -> Option<usize> {
    if round.is_multiple_of(2) {
        return Some(store.revoke_all(user, None, RevokeReason::LogoutAll, now).await.unwrap());
    }
    password_set(store, user, "new", now).await;
    None
}

#[apply(storage_case!)]
async fn one_of_many_revocations_is_the_first(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, user.id, round).await;
        let gate = Gate::of(RevokeReason::ALL.len(), round, &store);
        let rivals = RevokeReason::ALL.map(|reason| {
            gate.send(move |store| async move { store.revoke(session.id, reason, at(5)).await.unwrap() })
        });
        let ended = answers(rivals.into()).await;
        assert_eq!(count(&ended, |ended| *ended), 1);
        let first = ended.iter().position(|ended| *ended).map(|winner| RevokeReason::ALL[winner]);
        assert_eq!(session_now(&*store, session.id).await.revoke_reason, first);
    }
}

#[apply(storage_case!)]
async fn each_session_is_ended_by_one_of_many_ends_of_all(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        for number in 0..3 {
            started(&*store, user, 3 * round + number).await;
        }
        let gate = Gate::of(4, round, &store);
        let now = at(round as i64 + 1);
        let rivals = (0..4).map(|_| {
            gate.send(
                move |store| async move { store.revoke_all(user, None, RevokeReason::LogoutAll, now).await.unwrap() },
            )
        });
        assert_eq!(answers(rivals.collect()).await.iter().sum::<usize>(), 3);
    }
}

/// Each call adopts the same token and then rotates it: there is one session, so one rotation succeeds.
#[apply(storage_case!)]
async fn many_adoptions_of_one_token_make_one_session(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for round in 0..ROUNDS {
        let session = session_of(user.id, session_id(round), at(0));
        let gate = Gate::of(6, round, &store);
        let rivals = (0..6).map(|_| {
            let session = session.clone();
            gate.send(move |store| async move {
                let adoption = store.adopt(&session, &jti_of(&session), None).await.unwrap();
                let next = successor_of(&session, at(1));
                (adoption, store.advance(session.id, Generation::FIRST, next).await.unwrap())
            })
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |(adoption, _)| *adoption == Adoption::Present), 6);
        assert_eq!(count(&rivals, |(_, swap)| *swap == Swap::Done), 1);
        assert_eq!(session_now(&*store, session.id).await.generation, Generation::new(1));
    }
    assert_eq!(store.prune_sessions(UnixTime::MAX, u32::MAX).await.unwrap() as u64, ROUNDS);
}

#[apply(storage_case!)]
async fn no_adoption_escapes_the_end_of_all_sessions(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let now = at(10);
        let gate = Gate::of(5, round, &store);
        let sessions: Vec<_> = (0..4).map(|n| session_of(user, session_id(4 * round + n), at(0))).collect();
        let adoptions = sessions.iter().cloned().zip([None, Some(at(1)), Some(at(9)), Some(now)]);
        let adoptions = adoptions.map(|(session, issued_at)| {
            gate.send(move |store| async move { store.adopt(&session, &jti_of(&session), issued_at).await.unwrap() })
        });
        let adoptions = adoptions.collect();
        let end = gate.send(move |store| async move { end_all(&*store, user, round, now).await });
        let adoptions = answers(adoptions).await;
        let ended = end.await.unwrap();
        for (session, adoption) in sessions.iter().zip(&adoptions) {
            match adoption {
                Adoption::Present => assert_dead(&*store, session, now).await,
                _ => assert_eq!(store.find_session(session.id).await.unwrap(), None),
            }
        }
        let present = count(&adoptions, |adoption| *adoption == Adoption::Present);
        assert!(ended.is_none_or(|ended| ended == present));
    }
}

#[apply(storage_case!)]
async fn no_login_escapes_the_end_of_all_sessions(store: Arc<dyn Store>) {
    let id = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let now = at(round as i64 + 1);
        let user = user_now(&*store, id).await;
        let gate = Gate::of(5, round, &store);
        let sessions: Vec<_> = (0..4).map(|n| session_of(id, session_id(4 * round + n), at(0))).collect();
        let logins = sessions.iter().cloned().map(|session| {
            let user = user.clone();
            gate.send(move |store| async move { store.start(&session, &user, Some(at(0).into())).await.unwrap() })
        });
        let logins = logins.collect();
        let end = gate.send(move |store| async move { end_all(&*store, id, round, now).await });
        let logins = answers(logins).await;
        let ended = end.await.unwrap();
        for (session, started) in sessions.iter().zip(&logins) {
            match started {
                true => assert_dead(&*store, session, now).await,
                false => assert_eq!(store.find_session(session.id).await.unwrap(), None),
            }
        }
        assert!(ended.is_none_or(|ended| ended == count(&logins, |started| *started)));
        assert_eq!(user_now(&*store, id).await.token_epoch, now);
    }
}

#[apply(storage_case!)]
async fn no_session_outlives_its_account(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        let id = user.id;
        let (login, adoption) =
            (session_of(id, session_id(2 * round), at(0)), session_of(id, session_id(2 * round + 1), at(0)));
        let ids = [login.id, adoption.id];
        let gate = Gate::of(3, round, &store);
        let login = gate.send(move |store| async move { store.start(&login, &user, None).await.unwrap() });
        let adoption =
            gate.send(move |store| async move { store.adopt(&adoption, &jti_of(&adoption), None).await.unwrap() });
        let deletion = gate.send(move |store| async move { store.delete(id).await.unwrap() });
        assert!(deletion.await.unwrap());
        login.await.unwrap();
        assert_ne!(adoption.await.unwrap(), Adoption::Refused);
        for id in ids {
            assert_eq!(store.find_session(id).await.unwrap(), None);
        }
    }
    assert_eq!(store.prune_sessions(UnixTime::MAX, u32::MAX).await.unwrap(), 0);
}

#[apply(storage_case!)]
async fn a_session_and_its_user_are_read_at_one_moment(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let session = started(&*store, user, round).await.id;
        let now = at(round as i64 + 1);
        let gate = Gate::of(4, round, &store);
        let readers = (0..3).map(|_| {
            gate.send(move |store| async move {
                let mut read = Vec::new();
                for _ in 0..8 {
                    let found = store.find_session(session).await.unwrap().unwrap();
                    read.push((found.session.revoked_at == Some(now), found.user.token_epoch == now));
                }
                read
            })
        });
        let readers = readers.collect();
        let end = gate.send(move |store| async move { end_all(&*store, user, round, now).await });
        for (is_revoked, is_moved) in answers(readers).await.concat() {
            assert_eq!(is_revoked, is_moved, "half of a change was seen");
        }
        end.await.unwrap();
    }
}

/// Pruning must check a session as it is when it is deleted, not as it was when it was selected.
#[apply(storage_case!)]
async fn a_session_that_was_rotated_in_time_is_not_pruned(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let (now, later) = (at(1_000_000), at(2_000_000));
    for round in 0..ROUNDS {
        let mut sessions = Vec::new();
        for number in 0..4 {
            sessions.push(started(&*store, user, 4 * round + number).await.id);
        }
        let gate = Gate::of(6, round, &store);
        let next = NextGeneration { generation: Generation::new(1), rotated_at: now, expires_at: later };
        let rotations = sessions.iter().copied().map(|session| {
            gate.send(move |store| async move { store.advance(session, Generation::FIRST, next).await.unwrap() })
        });
        let rotations = rotations.collect();
        let prunings =
            (0..2).map(|_| gate.send(move |store| async move { store.prune_sessions(now, 4).await.unwrap() }));
        let pruned: usize = answers(prunings.collect()).await.iter().sum();
        let rotations = answers(rotations).await;
        assert_eq!(pruned, count(&rotations, |swap| *swap == Swap::LostRace), "each one is pruned, once, or rotated");
        for (session, swap) in sessions.into_iter().zip(rotations) {
            assert_eq!(store.find_session(session).await.unwrap().is_some(), swap == Swap::Done);
        }
    }
}

#[apply(storage_case!)]
async fn of_any_number_of_logins_at_once_no_more_sessions_are_left_than_may_be(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        let gate = Gate::of(6, round, &store);
        let logins = (0..6).map(|login| {
            let (id, user) = (session_id(6 * round + login), user.clone());
            gate.send(move |store| async move {
                assert!(store.start(&session_of(user.id, id, at(0)), &user, None).await.unwrap());
                store.end_surplus(user.id, id, NonZeroU32::new(2).unwrap(), at(1)).await.unwrap()
            })
        });
        let ended = answers(logins.collect()).await.into_iter().flatten().count();
        let mut live = 0;
        for login in 0..6 {
            live += usize::from(session_now(&*store, session_id(6 * round + login)).await.revoked_at.is_none());
        }
        assert_eq!((live, ended), (2, 4), "each is ended once");
    }
}
