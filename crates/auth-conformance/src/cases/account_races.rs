//! Accounts: concurrent calls of every kind.

use std::sync::Arc;

use auth_accounts::account::{LoginName, NewUser, ProfileChange, Taken};
use auth_accounts::ports::{NewPassword, ProfileUpdate, Store};
use auth_core::effects::Effects;
use auth_core::token::RevokeReason;
use auth_core::user::{SecurityStamp, User};
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count, delay};
use super::fixture::{all_users, hash_now, jti_of, password_set, session_now, started, stored, user_now};
use crate::{at, email, hash_of, login_email, new_user, person_name, session_id, session_of, successor_of, username};

/// Creates these accounts concurrently and asserts that exactly one of them is stored.
async fn assert_one_is_created(store: &Arc<dyn Store>, round: u64, rivals: Vec<NewUser>, otherwise: Taken) {
    let before = all_users(&**store).await.len();
    let gate = Gate::of(rivals.len(), round, store);
    let calls = rivals.into_iter();
    let calls =
        calls.map(|new| gate.send(move |store| async move { store.create(&new, &hash_of("x")).await.unwrap() }));
    let made = answers(calls.collect()).await;
    assert_eq!(count(&made, |made| *made == Err(otherwise)), made.len() - 1);
    let after = all_users(&**store).await;
    assert_eq!(after.len(), before + 1);
    assert!(made.into_iter().flatten().eq(after.into_iter().skip(before)));
}

#[apply(account_case!)]
async fn one_of_many_new_accounts_gets_the_username(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let spellings = ["alice", "ALICE", "Alice", "aLICE", "\u{FF41}lice", "alice"].into_iter().zip(0..);
        let rivals = spellings.map(|(spelling, rival)| NewUser {
            username: username(&format!("{spelling}{round}")),
            ..new_user(&format!("rival{rival}of{round}"))
        });
        assert_one_is_created(&store, round, rivals.collect(), Taken::Username).await;
    }
}

#[apply(account_case!)]
async fn one_of_many_new_accounts_gets_the_email_address(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let spellings = ["alice", "ALICE", "Alice", "aLICE", "alicE", "alice"].into_iter().zip(0..);
        let rivals = spellings.map(|(spelling, rival)| NewUser {
            email: login_email(&format!("{spelling}{round}@example.com")),
            ..new_user(&format!("rival{rival}of{round}"))
        });
        assert_one_is_created(&store, round, rivals.collect(), Taken::Email).await;
    }
}

#[apply(account_case!)]
async fn one_of_many_renamed_accounts_gets_the_username(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for name in ["amy", "bob", "cid", "dan"] {
        ids.push(stored(&*store, name).await.id);
    }
    for round in 0..ROUNDS {
        let gate = Gate::of(ids.len(), round, &store);
        let rivals = ids.iter().cloned().map(|id| {
            let change = ProfileChange { username: Some(username(&format!("x{round}"))), ..ProfileChange::default() };
            gate.send(move |store| async move { store.update_profile(&id, &change).await.unwrap() })
        });
        let renamed = answers(rivals.collect()).await;
        assert_eq!(count(&renamed, |answer| *answer == ProfileUpdate::Taken(Taken::Username)), ids.len() - 1);
        let name = format!("x{round}");
        assert_eq!(count(&all_users(&*store).await, |user| user.username == name), 1);
    }
}

/// A change of one field must not write back other fields as they were read earlier.
#[apply(account_case!)]
async fn concurrent_changes_to_different_fields_are_all_stored(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        let session = session_of(&user.id, session_id(round), at(0));
        let (id, before, name) = (user.id.clone(), user.clone(), format!("new{round}"));
        let address = format!("{name}@example.org");
        let nothing = ProfileChange::default;
        let gate = Gate::of(6, round, &store);
        let changes = [
            ProfileChange { username: Some(username(&name)), ..nothing() },
            ProfileChange { email: Some(email(&address)), ..nothing() },
            ProfileChange { first_name: Some(person_name("F")), ..nothing() },
            ProfileChange { last_name: Some(person_name("L")), ..nothing() },
        ];
        let changes = changes
            .map(|change| gate.send_for(&id, async move |store, id| store.update_profile(&id, &change).await.unwrap()));
        let promotion =
            gate.send_for(&id, async move |store, id| store.set_staff(&id, true, &Effects::NONE).await.unwrap());
        let login = gate.send_for(&id, async move |store, id| {
            let mut read = before;
            while !store.start(&session, &read, Some(at(7).into()), &Effects::NONE).await.unwrap() {
                read = user_now(&*store, &id).await; // The promotion advanced the stamp.
            }
            store.set_active(&id, false, &Effects::NONE).await.unwrap()
        });
        let changed = answers(changes.into()).await;
        assert_eq!(count(&changed, |change| matches!(change, ProfileUpdate::Done(_))), 4);
        assert!(promotion.await.unwrap() && login.await.unwrap());
        let expected = User {
            username: name,
            email: Some(address),
            first_name: "F".to_owned(),
            last_name: "L".to_owned(),
            is_staff: true,
            is_active: false,
            last_login: Some(at(7).into()),
            security_stamp: SecurityStamp::new(3),
            ..user
        };
        assert_eq!(user_now(&*store, &id).await, expected);
    }
}

#[apply(account_case!)]
async fn a_hash_upgrade_never_restores_the_old_password(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let name = format!("user{round}");
        let user = stored(&*store, &name).await;
        let id = user.id.clone();
        let gate = Gate::of(3, round, &store);
        let upgrades = [1, 2].map(|cost| {
            let (old, new) = (hash_of(&name), hash_of(&format!("{name}, upgraded to {cost}")));
            gate.send_for(&id, async move |store, id| store.upgrade_hash(&id, &old, &new).await.unwrap())
        });
        let change = gate.send(move |store| async move { password_set(&*store, &id, "new", at(1)).await });
        change.await.unwrap();
        assert!(count(&answers(upgrades.into()).await, |upgraded| *upgraded) <= 1);
        assert_eq!(hash_now(&*store, &user).await, hash_of("new"));
    }
}

/// A login that accepted the old password must not see the epoch of the new one.
#[apply(account_case!)]
async fn find_for_login_reads_one_snapshot(store: Arc<dyn Store>) {
    let id = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let (now, password) = (at(round as i64 + 1), format!("password {round}"));
        let new = hash_of(&password);
        let gate = Gate::of(4, round, &store);
        let readers = (0..3).map(|_| {
            let new = new.clone();
            gate.send(move |store| async move {
                let mut read = Vec::new();
                for _ in 0..8 {
                    let name = LoginName::Username("alice".to_owned());
                    let (user, hash) = store.find_for_login(&name).await.unwrap().unwrap();
                    read.push((hash == new, user.token_epoch == now));
                }
                read
            })
        });
        let readers = readers.collect();
        let change = gate.send_for(&id, async move |store, id| password_set(&*store, &id, &password, now).await);
        for (is_new, is_moved) in answers(readers).await.concat() {
            assert_eq!(is_new, is_moved, "the user and the hash are from different snapshots");
        }
        change.await.unwrap();
    }
}

/// A client that disconnects during a request must not leave a change half done.
#[apply(account_case!)]
async fn a_dropped_password_change_is_atomic(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        let session = started(&*store, &user.id, round).await.id;
        let new = hash_of("new");
        tokio::select! {
            biased;
            () = password_set(&*store, &user.id, "new", at(1)) => {}
            () = delay(&*store, round % 5) => {}
        }
        // The change may still be in progress, so a later read may see more of it than an earlier one, never less.
        let has_new_hash = hash_now(&*store, &user).await == new;
        let is_revoked = session_now(&*store, session).await.revoked_at.is_some();
        assert!(is_revoked || !has_new_hash);
        let is_moved = user_now(&*store, &user.id).await.token_epoch == at(1);
        assert!(is_moved || !is_revoked);
        assert!(hash_now(&*store, &user).await == new || !is_moved);
        // The next call must succeed.
        password_set(&*store, &user.id, "newer", at(2)).await;
    }
}

/// In an incorrect store, calls that lock the same rows in different orders deadlock or fail.
#[apply(account_case!)]
async fn concurrent_calls_for_one_account_do_not_fail(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for round in 0..ROUNDS {
        let session = started(&*store, &user.id, 3 * round).await;
        let login = session_of(&user.id, session_id(3 * round + 1), at(0));
        let adoption = session_of(&user.id, session_id(3 * round + 2), at(0));
        let (id, user_copy, now) = (user.id.clone(), user_now(&*store, &user.id).await, at(round as i64 + 1));
        let gate = Gate::of(11, round, &store);
        let (one, two, three) = (session.clone(), session.clone(), session);
        let calls = vec![
            gate.send(async move |s| s.start(&login, &user_copy, Some(now.into()), &Effects::NONE).await.map(drop)),
            gate.send(async move |s| s.adopt(&adoption, &jti_of(&adoption), None).await.map(drop)),
            gate.send(async move |s| {
                s.advance(one.id, one.generation, successor_of(&one, now), &Effects::NONE).await.map(drop)
            }),
            gate.send(async move |s| s.revoke(two.id, RevokeReason::Logout, &Effects::NONE, now).await.map(drop)),
            gate.send_for(&id, async move |s, id| {
                s.revoke_all(&id, Some(three.id), RevokeReason::LogoutAll, &Effects::NONE, now).await.map(drop)
            }),
            gate.send_for(&id, async move |s, id| {
                s.set_password(&NewPassword::new(id, hash_of("new")), now).await.map(drop)
            }),
            gate.send_for(&id, async move |s, id| {
                s.upgrade_hash(&id, &hash_of("new"), &hash_of("newer")).await.map(drop)
            }),
            gate.send_for(&id, async move |s, id| s.set_staff(&id, true, &Effects::NONE).await.map(drop)),
            gate.send_for(&id, async move |s, id| s.set_active(&id, true, &Effects::NONE).await.map(drop)),
            gate.send_for(&id, async move |s, id| s.update_profile(&id, &ProfileChange::default()).await.map(drop)),
            gate.send(async move |s| s.prune_sessions(at(0), 10).await.map(drop)),
        ];
        for answer in answers(calls).await {
            answer.unwrap();
        }
        assert!(all_users(&*store).await[0].is_staff);
    }
}
