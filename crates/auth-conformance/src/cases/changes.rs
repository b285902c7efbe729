//! Accounts: changing and deleting them.

use std::sync::Arc;

use auth_accounts::account::{NewUser, ProfileChange, Taken};
use auth_accounts::ports::{NewPassword, PasswordUpdate, ProfileUpdate, Store};
use auth_core::effects::Effects;
use auth_core::time::Timestamp;
use auth_core::token::{RevokeReason, Session};
use auth_core::user::{SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::fixture::{
    all_users, by_email, by_username, created, hash_now, password_set, session_now, started, stored, user_now,
};
use crate::{at, email, hash_of, login_email, new_user, person_name, session_id, session_of, username};

const NOBODY: UserId = UserId::new(i64::MAX);

fn renamed(name: &str) -> ProfileChange {
    ProfileChange { username: Some(username(name)), ..ProfileChange::default() }
}

fn moved(address: &str) -> ProfileChange {
    ProfileChange { email: Some(email(address)), ..ProfileChange::default() }
}

#[apply(account_case!)]
async fn a_profile_change_changes_only_the_given_fields(store: Arc<dyn Store>) {
    let bystander = stored(&*store, "bystander").await;
    let mut user = created(&*store, &NewUser { is_staff: true, ..new_user("alice") }).await;
    let session = session_of(&user.id, session_id(1), at(0));
    assert!(
        store
            .start(&session, &user, Some(Timestamp::from_micros(1_000_000_007_654_321)), &Effects::NONE)
            .await
            .unwrap()
    );
    user = user_now(&*store, &user.id).await;
    let (first_name, last_name) = (person_name("Alicia"), person_name(""));
    for (change, expected) in [
        (renamed("Alicia"), User { username: "Alicia".to_owned(), ..user.clone() }),
        (moved("Alicia@Example.org"), User { email: Some("Alicia@Example.org".to_owned()), ..user.clone() }),
        (
            ProfileChange { first_name: Some(first_name), ..ProfileChange::default() },
            User { first_name: "Alicia".to_owned(), ..user.clone() },
        ),
        (
            ProfileChange { last_name: Some(last_name), ..ProfileChange::default() },
            User { last_name: String::new(), ..user.clone() },
        ),
    ] {
        let ProfileUpdate::Done(changed) = store.update_profile(&user.id, &change).await.unwrap() else { panic!() };
        let expected = User { security_stamp: changed.security_stamp, ..expected };
        assert_eq!(changed, expected);
        assert_eq!(user_now(&*store, &user.id).await, expected);
        assert_eq!(hash_now(&*store, &expected).await, hash_of("alice"));
        let back = ProfileChange {
            username: Some(username(&user.username)),
            email: user.email.as_deref().map(email),
            first_name: Some(person_name(&user.first_name)),
            last_name: Some(person_name(&user.last_name)),
            ..ProfileChange::default()
        };
        let ProfileUpdate::Done(restored) = store.update_profile(&user.id, &back).await.unwrap() else { panic!() };
        user.security_stamp = restored.security_stamp;
        assert_eq!(restored, user);
    }
    assert_eq!(session_now(&*store, session.id).await, session);
    assert_eq!(all_users(&*store).await, [bystander, user]);
}

#[apply(account_case!)]
async fn an_empty_profile_change_returns_the_account_unchanged(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let answer = store.update_profile(&user.id, &ProfileChange::default()).await.unwrap();
    assert_eq!(answer, ProfileUpdate::Done(user.clone()));
    assert_eq!(user_now(&*store, &user.id).await, user);
}

#[apply(account_case!)]
async fn a_profile_change_to_a_taken_name_changes_nothing(store: Arc<dyn Store>) {
    stored(&*store, "alice").await;
    let bob = stored(&*store, "bob").await;
    let first_name = Some(person_name("Robert"));
    let (name, address) = (Some(username("ALICE")), Some(email("ALICE@example.com")));
    for (change, expected) in [
        (ProfileChange { username: name.clone(), ..ProfileChange::default() }, Taken::Username),
        (ProfileChange { email: address.clone(), ..ProfileChange::default() }, Taken::Email),
        (ProfileChange { username: name.clone(), email: address.clone(), ..ProfileChange::default() }, Taken::Username),
        (
            ProfileChange { username: name, email: Some(email("free@example.com")), ..ProfileChange::default() },
            Taken::Username,
        ),
        (ProfileChange { username: Some(username("free")), email: address, ..ProfileChange::default() }, Taken::Email),
    ] {
        let change = ProfileChange { first_name: first_name.clone(), ..change };
        assert_eq!(store.update_profile(&bob.id, &change).await.unwrap(), ProfileUpdate::Taken(expected));
        assert_eq!(user_now(&*store, &bob.id).await, bob, "{change:?}");
    }
    stored(&*store, "free").await;
}

#[apply(account_case!)]
async fn an_account_may_keep_and_respell_its_own_names(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    for (name, address) in [("alice", "alice@example.com"), ("ALICE", "Alice@EXAMPLE.com")] {
        let change = ProfileChange { username: Some(username(name)), ..moved(address) };
        let expected = User { username: name.to_owned(), email: Some(address.to_owned()), ..user.clone() };
        assert_eq!(store.update_profile(&user.id, &change).await.unwrap(), ProfileUpdate::Done(expected));
    }
}

#[apply(account_case!)]
async fn a_changed_name_is_taken_and_the_old_one_is_free(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let change = ProfileChange { username: Some(username("Alicia")), ..moved("Alicia@example.com") };
    assert!(matches!(store.update_profile(&user.id, &change).await.unwrap(), ProfileUpdate::Done(_)));
    assert_eq!(by_username(&*store, "alice").await, None);
    assert_eq!(by_email(&*store, "alice@example.com").await, None);
    assert_eq!(by_username(&*store, "Alicia").await.map(|found| found.id), Some(user.id.clone()));
    assert_eq!(by_email(&*store, "Alicia@example.com").await.map(|found| found.id), Some(user.id));
    let same_name = NewUser { username: username("ALICIA"), ..new_user("other") };
    assert_eq!(store.create(&same_name, &hash_of("x")).await.unwrap(), Err(Taken::Username));
    let same_address = NewUser { email: login_email("ALICIA@example.com"), ..new_user("other") };
    assert_eq!(store.create(&same_address, &hash_of("x")).await.unwrap(), Err(Taken::Email));
    stored(&*store, "ALICE").await;
}

#[apply(account_case!)]
async fn changes_of_a_missing_user_are_refused(store: Arc<dyn Store>) {
    let bystander = stored(&*store, "bystander").await;
    for change in [ProfileChange::default(), renamed("x")] {
        assert_eq!(store.update_profile(&NOBODY, &change).await.unwrap(), ProfileUpdate::Gone);
    }
    assert!(!store.upgrade_hash(&NOBODY, &hash_of("bystander"), &hash_of("x")).await.unwrap());
    let new = NewPassword::new(NOBODY, hash_of("x"));
    assert_eq!(store.set_password(&new, at(1)).await.unwrap(), PasswordUpdate::Gone);
    assert!(!store.set_active(&NOBODY, true, &Effects::NONE).await.unwrap());
    assert!(!store.set_active(&NOBODY, false, &Effects::NONE).await.unwrap());
    assert!(!store.set_staff(&NOBODY, true, &Effects::NONE).await.unwrap());
    assert!(!store.delete(&NOBODY, &Effects::NONE).await.unwrap());
    assert_eq!(store.revoke_all(&NOBODY, None, RevokeReason::LogoutAll, &Effects::NONE, at(1)).await.unwrap(), None);
    assert_eq!(hash_now(&*store, &bystander).await, hash_of("bystander"));
    assert_eq!(all_users(&*store).await, [bystander]);
}

#[apply(account_case!)]
async fn upgrades_only_the_expected_hash(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let other = stored(&*store, "other").await;
    let session = started(&*store, &user.id, 1).await;
    assert!(store.upgrade_hash(&user.id, &hash_of("alice"), &hash_of("upgraded")).await.unwrap());
    assert_eq!(hash_now(&*store, &user).await, hash_of("upgraded"));
    assert!(!store.upgrade_hash(&user.id, &hash_of("alice"), &hash_of("too late")).await.unwrap());
    assert!(!store.upgrade_hash(&user.id, &hash_of("Upgraded"), &hash_of("too late")).await.unwrap());
    assert_eq!(hash_now(&*store, &user).await, hash_of("upgraded"));
    // The upgrade revokes no session and does not affect other accounts.
    assert_eq!(session_now(&*store, session.id).await, session);
    assert_eq!(hash_now(&*store, &other).await, hash_of("other"));
    assert_eq!(all_users(&*store).await, [user, other]);
}

#[apply(account_case!)]
async fn a_hash_upgrade_does_not_undo_a_password_change(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    password_set(&*store, &user.id, "new", at(1)).await;
    assert!(!store.upgrade_hash(&user.id, &hash_of("alice"), &hash_of("alice, upgraded")).await.unwrap());
    assert_eq!(hash_now(&*store, &user).await, hash_of("new"));
}

#[apply(account_case!)]
async fn a_password_change_revokes_every_session_of_the_account(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let other = stored(&*store, "other").await;
    let (one, two, ended) =
        (started(&*store, &user.id, 1).await, started(&*store, &user.id, 2).await, started(&*store, &user.id, 3).await);
    let spared = started(&*store, &other.id, 4).await;
    assert!(store.revoke(ended.id, RevokeReason::Logout, &Effects::NONE, at(3)).await.unwrap());

    password_set(&*store, &user.id, "new", at(5)).await;

    assert_eq!(hash_now(&*store, &user).await, hash_of("new"));
    let by = |reason, moment, session| Session { revoked_at: Some(moment), revoke_reason: Some(reason), ..session };
    for expected in [
        by(RevokeReason::PasswordChanged, at(5), one),
        by(RevokeReason::PasswordChanged, at(5), two),
        by(RevokeReason::Logout, at(3), ended),
        spared,
    ] {
        assert_eq!(session_now(&*store, expected.id).await, expected);
    }
    assert_eq!(hash_now(&*store, &other).await, hash_of("other"));
    let security_stamp = user.security_stamp.next();
    assert_eq!(all_users(&*store).await, [User { token_epoch: at(5), security_stamp, ..user }, other]);
}

#[apply(account_case!)]
async fn set_active_changes_nothing_else(store: Arc<dyn Store>) {
    let user = created(&*store, &NewUser { is_staff: true, is_superuser: true, ..new_user("alice") }).await;
    let other = stored(&*store, "other").await;
    let session = started(&*store, &user.id, 1).await;
    // The second call is a no-op, which succeeds because the account exists.
    for (is_active, changes) in [(false, 1), (false, 1), (true, 2), (true, 2)] {
        assert!(store.set_active(&user.id, is_active, &Effects::NONE).await.unwrap());
        let security_stamp = SecurityStamp::new(changes);
        assert_eq!(all_users(&*store).await, [User { is_active, security_stamp, ..user.clone() }, other.clone()]);
        assert_eq!(session_now(&*store, session.id).await, session);
    }
    assert_eq!(hash_now(&*store, &user).await, hash_of("alice"));
}

#[apply(account_case!)]
async fn set_staff_grants_and_removes_rights(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let owner = created(&*store, &NewUser { is_superuser: true, ..new_user("owner") }).await;
    let session = started(&*store, &user.id, 1).await;
    for (id, staff, expected) in [
        (user.id.clone(), true, (true, false)),
        (user.id.clone(), true, (true, false)),
        (user.id.clone(), false, (false, false)),
        (owner.id.clone(), true, (true, true)),
        (owner.id.clone(), false, (false, false)),
        (owner.id.clone(), false, (false, false)),
        (owner.id.clone(), true, (true, false)),
    ] {
        assert!(store.set_staff(&id, staff, &Effects::NONE).await.unwrap());
        let now = user_now(&*store, &id).await;
        assert_eq!((now.is_staff, now.is_superuser), expected, "{id:?} {staff}");
    }
    let user = User { security_stamp: SecurityStamp::new(2), ..user };
    let owner = User { is_staff: true, is_superuser: false, security_stamp: SecurityStamp::new(3), ..owner };
    assert_eq!(all_users(&*store).await, [user, owner]);
    assert_eq!(session_now(&*store, session.id).await, session);
}

#[apply(account_case!)]
async fn a_deleted_account_leaves_nothing_behind(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let other = stored(&*store, "other").await;
    let (one, two) = (started(&*store, &user.id, 1).await, started(&*store, &user.id, 2).await);
    let spared = started(&*store, &other.id, 3).await;
    assert!(store.revoke(two.id, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());

    assert!(store.delete(&user.id, &Effects::NONE).await.unwrap());

    assert!(!store.delete(&user.id, &Effects::NONE).await.unwrap());
    assert_eq!(store.find_user(&user.id).await.unwrap(), None);
    assert_eq!(by_username(&*store, "alice").await, None);
    assert_eq!(store.find_session(one.id).await.unwrap(), None);
    assert_eq!(store.find_session(two.id).await.unwrap(), None);
    assert!(!store.revoke(one.id, RevokeReason::Logout, &Effects::NONE, at(2)).await.unwrap());
    assert_eq!(all_users(&*store).await, [other]);
    assert_eq!(session_now(&*store, spared.id).await, spared);
    // A session without an account is never found, but pruning would count it.
    assert_eq!(store.prune_sessions(spared.expires_at.plus(auth_core::time::Seconds::new(1)), 10).await.unwrap(), 1);
}

#[apply(account_case!)]
async fn a_deleted_account_frees_its_name_and_address(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    assert!(store.delete(&user.id, &Effects::NONE).await.unwrap());
    let again = store.create(&new_user("alice"), &hash_of("again")).await.unwrap().unwrap();
    assert_eq!(again.clone(), User { id: again.id.clone(), ..user });
    assert_eq!(hash_now(&*store, &again).await, hash_of("again"));
}
