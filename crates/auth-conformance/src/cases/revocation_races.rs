//! Revocation of all sessions of a user, concurrent with calls for those sessions. `revoke_all` belongs to the token
//! half, a new password to the account half.

use std::sync::Arc;

use auth_accounts::ports::Store;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, TokenStore};
use auth_core::time::UnixTime;
use auth_core::token::RevokeReason;
use auth_core::user::UserId;
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::password_set;
use super::session_races::{assert_revoked, rotate_on};
use super::token_fixture::{added, jti_of, started, user_now};
use super::{AccountHost, TokenHost};
use crate::{at, session_id, session_of};

/// A call that revokes all sessions of a user.
#[derive(Clone)]
enum Revocation {
    Logout(Arc<dyn TokenStore>),
    NewPassword(Arc<dyn Store>),
}

impl Revocation {
    /// Revokes them. Returns how many were revoked, if the store reports it.
    async fn run(&self, user: &UserId, now: UnixTime) -> Option<usize> {
        match self {
            Self::Logout(store) => {
                store.revoke_all(user, None, RevokeReason::LogoutAll, &Effects::NONE, now).await.unwrap()
            }
            Self::NewPassword(store) => {
                password_set(&**store, user, "new", now).await;
                None
            }
        }
    }
}

async fn race_with_rotations(host: &dyn TokenHost, end: Revocation) {
    let store = host.store();
    let user = added(host, "alice").await.id;
    for round in 0..ROUNDS {
        let now = at(round as i64 + 1);
        let sessions = [started(&*store, &user, 2 * round).await, started(&*store, &user, 2 * round + 1).await];
        let gate = Gate::of(3, round, &store);
        let rotations = sessions.clone().map(|session| gate.send(|store| rotate_on(store, session)));
        let ending = end.clone();
        let ended = gate.send_for(&user, async move |_, user| ending.run(&user, now).await);
        let ended = ended.await.unwrap();
        answers(rotations.into()).await;
        assert!(ended.is_none_or(|ended| ended == 2));
        for session in &sessions {
            assert_revoked(&*store, session, now).await;
        }
    }
}

#[apply(token_case!)]
async fn no_rotation_survives_revoke_all(host: Arc<dyn TokenHost>) {
    race_with_rotations(&*host, Revocation::Logout(host.store())).await;
}

#[apply(account_case!)]
async fn no_rotation_survives_a_new_password(store: Arc<dyn Store>) {
    race_with_rotations(&AccountHost::new(store.clone()), Revocation::NewPassword(store)).await;
}

async fn race_with_adoptions(host: &dyn TokenHost, end: Revocation) {
    let store = host.store();
    for round in 0..ROUNDS {
        let user = added(host, &format!("user{round}")).await.id;
        let now = at(10);
        let gate = Gate::of(5, round, &store);
        let sessions: Vec<_> = (0..4).map(|n| session_of(&user, session_id(4 * round + n), at(0))).collect();
        let adoptions = sessions.iter().cloned().zip([None, Some(at(1)), Some(at(9)), Some(now)]);
        let adoptions = adoptions.map(|(session, issued_at)| {
            gate.send(move |store| async move { store.adopt(&session, &jti_of(&session), issued_at).await.unwrap() })
        });
        let adoptions = adoptions.collect();
        let ending = end.clone();
        let ended = gate.send_for(&user, async move |_, user| ending.run(&user, now).await);
        let adoptions = answers(adoptions).await;
        let ended = ended.await.unwrap();
        for (session, adoption) in sessions.iter().zip(&adoptions) {
            match adoption {
                Adoption::Present => assert_revoked(&*store, session, now).await,
                _ => assert_eq!(store.find_session(session.id).await.unwrap(), None),
            }
        }
        let present = count(&adoptions, |adoption| *adoption == Adoption::Present);
        assert!(ended.is_none_or(|ended| ended == present));
    }
}

#[apply(token_case!)]
async fn no_adoption_survives_revoke_all(host: Arc<dyn TokenHost>) {
    race_with_adoptions(&*host, Revocation::Logout(host.store())).await;
}

#[apply(account_case!)]
async fn no_adoption_survives_a_new_password(store: Arc<dyn Store>) {
    race_with_adoptions(&AccountHost::new(store.clone()), Revocation::NewPassword(store)).await;
}

async fn race_with_logins(host: &dyn TokenHost, end: Revocation) {
    let store = host.store();
    let id = added(host, "alice").await.id;
    for round in 0..ROUNDS {
        let now = at(round as i64 + 1);
        let user = user_now(&*store, &id).await;
        let gate = Gate::of(5, round, &store);
        let sessions: Vec<_> = (0..4).map(|n| session_of(&id, session_id(4 * round + n), at(0))).collect();
        let logins = sessions.iter().cloned().map(|session| {
            let user = user.clone();
            gate.send(move |store| async move {
                store.start(&session, &user, Some(at(0).into()), &Effects::NONE).await.unwrap()
            })
        });
        let logins = logins.collect();
        let ending = end.clone();
        let ended = gate.send_for(&id, async move |_, id| ending.run(&id, now).await);
        let logins = answers(logins).await;
        let ended = ended.await.unwrap();
        for (session, started) in sessions.iter().zip(&logins) {
            match started {
                true => assert_revoked(&*store, session, now).await,
                false => assert_eq!(store.find_session(session.id).await.unwrap(), None),
            }
        }
        assert!(ended.is_none_or(|ended| ended == count(&logins, |started| *started)));
        assert_eq!(user_now(&*store, &id).await.token_epoch, now);
    }
}

#[apply(token_case!)]
async fn no_login_survives_revoke_all(host: Arc<dyn TokenHost>) {
    race_with_logins(&*host, Revocation::Logout(host.store())).await;
}

#[apply(account_case!)]
async fn no_login_survives_a_new_password(store: Arc<dyn Store>) {
    race_with_logins(&AccountHost::new(store.clone()), Revocation::NewPassword(store)).await;
}

async fn race_with_reads(host: &dyn TokenHost, end: Revocation) {
    let store = host.store();
    let user = added(host, "alice").await.id;
    for round in 0..ROUNDS {
        let session = started(&*store, &user, round).await.id;
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
        let ending = end.clone();
        let ended = gate.send_for(&user, async move |_, user| ending.run(&user, now).await);
        for (is_revoked, is_moved) in answers(readers).await.concat() {
            assert_eq!(is_revoked, is_moved, "the session and its user are from different snapshots");
        }
        ended.await.unwrap();
    }
}

#[apply(token_case!)]
async fn find_session_reads_one_snapshot(host: Arc<dyn TokenHost>) {
    race_with_reads(&*host, Revocation::Logout(host.store())).await;
}

#[apply(account_case!)]
async fn find_session_reads_one_snapshot_of_a_password_change(store: Arc<dyn Store>) {
    race_with_reads(&AccountHost::new(store.clone()), Revocation::NewPassword(store)).await;
}
