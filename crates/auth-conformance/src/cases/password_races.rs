//! Passwords and email addresses: concurrent calls.

use std::sync::Arc;

use auth_accounts::account::{NewEmail, NewUser, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{EmailUpdate, NewPassword, PasswordUpdate, ProfileUpdate, Store, VerifiedEmail};
use auth_core::effects::Effects;
use auth_core::ports::{KeptSession, ReplacedSession, Swap};
use auth_core::token::{Generation, RevokeReason};
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::{
    all_users, by_email, code_now, effects, hash_now, issued, number_of, queued, session_now, started, stored, user_now,
};
use crate::{at, email, hash_of, new_user, session_id, session_of, successor_of};

/// Sets a different password in each of several concurrent calls. Exactly one is stored, with its email.
async fn assert_one_is_set(store: &Arc<dyn Store>, round: u64, condition: &NewPassword) {
    const RIVALS: u64 = 6;
    let user = user_now(&**store, &condition.user).await;
    let gate = Gate::of(RIVALS as usize, round, store);
    let rivals = (0..RIVALS).map(|rival| {
        let (hash, effects) = (hash_of(&format!("rival {rival}")), effects(&[RIVALS * round + rival]));
        let new = NewPassword { hash, effects, ..condition.clone() };
        gate.send(move |store| async move { store.set_password(&new, at(1)).await.unwrap() })
    });
    let rivals = answers(rivals.collect()).await;
    assert_eq!(count(&rivals, |update| *update == PasswordUpdate::Overtaken), rivals.len() - 1);
    let winner = (0..).zip(&rivals).find(|(_, update)| **update == PasswordUpdate::Done).unwrap().0;
    assert_eq!(hash_now(&**store, &user).await, hash_of(&format!("rival {winner}")));
    assert_eq!(queued(&**store).await.last(), Some(&(RIVALS * round + winner)));
    assert_eq!(queued(&**store).await.len() as u64, round + 1);
}

#[apply(account_case!)]
async fn one_of_many_passwords_at_the_same_stamp_is_set(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let name = format!("user{round}");
        let user = stored(&*store, &name).await;
        let only_at = Some(user.security_stamp);
        let condition = NewPassword { only_at, ..NewPassword::new(user.id, hash_of("x")) };
        assert_one_is_set(&store, round, &condition).await;
    }
}

#[apply(account_case!)]
async fn one_of_many_passwords_with_the_same_code_is_set(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let code = issued(&*store, &user, round, CodePurpose::PasswordReset).await.id;
        let condition = NewPassword { code: Some(code), ..NewPassword::new(user.clone(), hash_of("x")) };
        assert_one_is_set(&store, round, &condition).await;
    }
}

/// Whichever call first rotates the session succeeds; the other reports that it was overtaken.
#[apply(account_case!)]
async fn a_session_is_kept_by_a_new_password_or_rotated_but_not_both(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let session = started(&*store, &user, round).await;
        let gate = Gate::of(3, round, &store);
        let (id, rotated, kept) = (session.id, successor_of(&session, at(1)), successor_of(&session, at(2)));
        let keep = KeptSession { id, from: Generation::FIRST, next: kept };
        let new = NewPassword { keep: Some(keep), ..NewPassword::new(user.clone(), hash_of("new")) };
        let update = gate.send(move |store| async move { store.set_password(&new, at(9)).await.unwrap() });
        let rotation = gate.send(move |store| async move {
            store.advance(id, Generation::FIRST, rotated, &Effects::NONE).await.unwrap()
        });
        let end = gate.send(move |store| async move {
            store.revoke(id, RevokeReason::Logout, &Effects::NONE, at(5)).await.unwrap()
        });
        let (update, rotation) = (update.await.unwrap(), rotation.await.unwrap());
        assert!(end.await.unwrap(), "a kept session can be revoked");
        let now = session_now(&*store, id).await;
        match (update, rotation) {
            (PasswordUpdate::Done, Swap::LostRace) => assert_eq!(now.current(), kept),
            (PasswordUpdate::Overtaken, Swap::Done) => assert_eq!(now.current(), rotated),
            (PasswordUpdate::Overtaken, Swap::LostRace) => assert_eq!(now.generation, Generation::FIRST),
            both => panic!("{both:?}"),
        }
    }
}

#[apply(account_case!)]
async fn no_login_survives_a_new_password_that_keeps_a_session(store: Arc<dyn Store>) {
    let id = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let kept = started(&*store, &id, 5 * round).await;
        let user = user_now(&*store, &id).await;
        let gate = Gate::of(5, round, &store);
        let logins: Vec<_> = (1..5).map(|n| session_of(&id, session_id(5 * round + n), at(0))).collect();
        let starts = logins.iter().cloned().map(|session| {
            let user = user.clone();
            gate.send(move |store| async move { store.start(&session, &user, None, &Effects::NONE).await.unwrap() })
        });
        let starts = starts.collect();
        let keep = KeptSession { id: kept.id, from: kept.generation, next: successor_of(&kept, at(1)) };
        let new = NewPassword { keep: Some(keep), ..NewPassword::new(id.clone(), hash_of("new")) };
        let update = gate.send(move |store| async move { store.set_password(&new, at(1)).await.unwrap() });
        assert_eq!(update.await.unwrap(), PasswordUpdate::Done);
        for (session, started) in logins.iter().zip(answers(starts).await) {
            let found = store.find_session(session.id).await.unwrap();
            assert_eq!(found.is_some(), started);
            assert!(found.is_none_or(|found| found.session.revoked_at.is_some()), "a login survived the new password");
        }
        assert_eq!(session_now(&*store, kept.id).await.revoked_at, None);
    }
}

/// `revoke_all` either runs first, and the password is not set, or runs second and revokes the session that started
/// with it.
#[apply(account_case!)]
async fn no_session_started_by_a_new_password_survives_revoke_all(store: Arc<dyn Store>) {
    let id = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let ends = started(&*store, &id, 2 * round).await.id;
        let begins = session_of(&id, session_id(2 * round + 1), at(0));
        let replace = Some(ReplacedSession { ends, begins: begins.clone() });
        let new = NewPassword { replace, ..NewPassword::new(id.clone(), hash_of("new")) };
        let gate = Gate::of(2, round, &store);
        let update = gate.send(move |store| async move { store.set_password(&new, at(1)).await.unwrap() });
        let end = gate.send_for(&id, async move |store, id| {
            store.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap()
        });
        let (update, ended) = (update.await.unwrap(), end.await.unwrap());
        assert_eq!(ended, Some(1), "either the old session or the new one");
        let found = store.find_session(begins.id).await.unwrap();
        assert_eq!(found.is_some(), update == PasswordUpdate::Done);
        assert!(found.is_none_or(|found| found.session.revoked_at.is_some()), "a session survived revoke_all");
    }
}

#[apply(account_case!)]
async fn one_of_many_accounts_gets_the_address_that_all_verify(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for name in ["amy", "bob", "cid", "dan"] {
        ids.push(stored(&*store, name).await.id);
    }
    for round in 0..ROUNDS {
        let mut proofs = Vec::new();
        for (user, spelling) in ids.iter().cloned().zip(["New", "new", "NEW", "nEW"]) {
            let number = 10 * round + number_of(&user);
            let code = issued(&*store, &user, number, CodePurpose::EmailChange).await.id;
            let email = email(&format!("{spelling}{round}@example.com"));
            proofs.push(VerifiedEmail {
                user,
                code,
                email,
                is_change: true,
                only_at: None,
                effects: Effects::default(),
            });
        }
        let gate = Gate::of(proofs.len(), round, &store);
        let rivals = proofs.iter().cloned().map(|proof| {
            gate.send(move |store| async move { store.confirm_email(&proof, at(1).into()).await.unwrap() })
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |update| *update == EmailUpdate::Taken), rivals.len() - 1);
        for (proof, update) in proofs.into_iter().zip(rivals) {
            let is_used = code_now(&*store, proof.code).await.consumed_at.is_some();
            assert_eq!(is_used, matches!(update, EmailUpdate::Done(_)));
            assert_eq!(by_email(&*store, proof.email.as_str()).await.is_some(), is_used);
        }
    }
}

#[apply(account_case!)]
async fn one_of_many_verifications_with_a_code_succeeds(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let code = issued(&*store, &user, round, CodePurpose::EmailChange).await.id;
        let gate = Gate::of(5, round, &store);
        let rivals = (0..5).map(|rival| {
            let (email, effects) = (email(&format!("{rival}.{round}@example.com")), effects(&[5 * round + rival]));
            let proof = VerifiedEmail { user: user.clone(), code, email, is_change: true, only_at: None, effects };
            gate.send(move |store| async move { store.confirm_email(&proof, at(1).into()).await.unwrap() })
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |update| *update == EmailUpdate::Overtaken), rivals.len() - 1);
        let done = rivals.into_iter().find(|update| *update != EmailUpdate::Overtaken);
        assert_eq!(done, Some(EmailUpdate::Done(user_now(&*store, &user).await)));
        assert_eq!(queued(&*store).await.len() as u64, round + 1);
    }
}

/// Concurrently by registration, by a profile change and by a verified change.
#[apply(account_case!)]
async fn an_email_address_is_assigned_only_once(store: Arc<dyn Store>) {
    let (amy, bob) = (stored(&*store, "amy").await.id, stored(&*store, "bob").await.id);
    for round in 0..ROUNDS {
        let address = email(&format!("new{round}@example.com"));
        let code = issued(&*store, &amy, round, CodePurpose::EmailChange).await.id;
        let proof = VerifiedEmail {
            user: amy.clone(),
            code,
            email: address.clone(),
            is_change: true,
            only_at: None,
            effects: Effects::default(),
        };
        let change = ProfileChange { email: Some(address.clone()), ..ProfileChange::default() };
        let new = NewUser { email: Some(NewEmail::LoginName(address.clone())), ..new_user(&format!("user{round}")) };
        let gate = Gate::of(3, round, &store);
        let ways = vec![
            gate.send(async move |s| {
                matches!(s.confirm_email(&proof, at(1).into()).await.unwrap(), EmailUpdate::Done(_))
            }),
            gate.send_for(&bob, async move |s, bob| {
                matches!(s.update_profile(&bob, &change).await.unwrap(), ProfileUpdate::Done(_))
            }),
            gate.send(async move |s| s.create(&new, &hash_of("x")).await.unwrap().is_ok()),
        ];
        assert_eq!(count(&answers(ways).await, |given| *given), 1);
        assert_eq!(count(&all_users(&*store).await, |user| user.login_email() == Some(address.as_str())), 1);
    }
}
