//! Users whose IDs are UUIDs or strings: everything works as with an integer ID.

use std::num::NonZeroU32;
use std::sync::Arc;

use auth_accounts::account::{NewUser, NewUserId, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{EmailUpdate, NewPassword, PasswordUpdate, ProfileUpdate, Store, VerifiedEmail};
use auth_accounts::second_factor::{Method, NewFactor, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::ports::Adoption;
use auth_core::token::{RevokeReason, Subject};
use auth_core::user::{StringId, User, UserId};
use macro_rules_attribute::apply;
use uuid::Uuid;

use super::feed_fixture::FeedFixture;
use super::feeds::{all, changed};
use super::fixture::{
    by_username, created, effects, enrolled, hash_now, issued, jti_of, queued, session_now, started, stored, totp,
    user_now,
};
use crate::{at, email, hash_of, new_user, session_id, session_of};

const UUID: u128 = 0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8;

/// A user with a UUID and one with a string, after one with an integer ID, so that no row has a key equal to its user's
/// ID.
async fn users(store: &dyn Store) -> [User; 2] {
    stored(store, "integer").await;
    let uuid = NewUser { id: NewUserId::Uuid(Uuid::from_u128(UUID)), ..new_user("uuid") };
    let string = NewUserId::String(StringId::parse("idp|5f7c \u{e9}").unwrap());
    [created(store, &uuid).await, created(store, &NewUser { id: string, ..new_user("string") }).await]
}

#[apply(account_case!)]
async fn finds_users_by_their_assigned_ids(store: Arc<dyn Store>) {
    let [uuid, string] = users(&*store).await;
    assert_eq!(uuid.id, UserId::Uuid(Uuid::from_u128(UUID)));
    assert_eq!(string.id.to_string(), "idp|5f7c \u{e9}");
    for user in [&uuid, &string] {
        assert_eq!(store.find_user(&user.id).await.unwrap().as_ref(), Some(user));
        assert_eq!(store.find_by_subject(&Subject::Id(user.id.clone())).await.unwrap().as_ref(), Some(user));
        assert_eq!(by_username(&*store, &user.username).await.as_ref(), Some(user));
    }
}

/// A string with leading zeros is not an integer.
#[apply(account_case!)]
async fn a_string_id_may_consist_of_digits(store: Arc<dyn Store>) {
    stored(&*store, "integer").await;
    let id = NewUserId::String(StringId::parse("0001").unwrap());
    let user = created(&*store, &NewUser { id, ..new_user("padded") }).await;
    assert_eq!(user.id.to_string(), "0001");
    assert_eq!(store.find_user(&user.id).await.unwrap(), Some(user));
}

/// The primary key of a row is not the ID of its user.
#[apply(account_case!)]
async fn an_integer_id_does_not_reach_a_user_with_another_id(store: Arc<dyn Store>) {
    let [uuid, string] = users(&*store).await;
    for integer in (0..10).map(UserId::Integer).filter(|id| *id != UserId::Integer(1)) {
        assert_eq!(store.find_user(&integer).await.unwrap(), None, "{integer}");
        assert_eq!(store.find_by_subject(&Subject::Id(integer.clone())).await.unwrap(), None, "{integer}");
        assert!(!store.set_staff(&integer, true, &Effects::NONE).await.unwrap(), "{integer}");
        assert!(!store.delete(&integer, &Effects::NONE).await.unwrap(), "{integer}");
        let new = NewPassword::new(integer.clone(), hash_of("stolen"));
        assert_eq!(store.set_password(&new, at(1)).await.unwrap(), PasswordUpdate::Gone, "{integer}");
        let stolen = User { id: integer.clone(), ..uuid.clone() };
        assert!(
            !store.start(&session_of(&integer, session_id(1), at(0)), &stolen, None, &Effects::NONE).await.unwrap(),
            "{integer}"
        );
        let adopted = session_of(&integer, session_id(2), at(0));
        assert_eq!(store.adopt(&adopted, &jti_of(&adopted), None).await.unwrap(), Adoption::NoUser, "{integer}");
    }
    for user in [&uuid, &string] {
        assert_eq!(user_now(&*store, &user.id).await, *user);
        assert_eq!(hash_now(&*store, user).await, hash_of(&user.username));
    }
}

#[apply(account_case!)]
async fn an_id_is_assigned_only_once(store: Arc<dyn Store>) {
    let [uuid, _] = users(&*store).await;
    let again = NewUser { id: NewUserId::Uuid(Uuid::from_u128(UUID)), ..new_user("again") };
    assert!(store.create(&again, &hash_of("x")).await.is_err());
    assert_eq!(by_username(&*store, "again").await, None);
    assert_eq!(user_now(&*store, &uuid.id).await, uuid);
}

#[apply(account_case!)]
async fn sessions_work_for_users_with_any_id(store: Arc<dyn Store>) {
    for (number, user) in (0..).zip(users(&*store).await) {
        let id = |place| session_id(10 * number + place);
        let first = started(&*store, &user.id, 10 * number).await;
        let found = store.find_session(first.id).await.unwrap().unwrap();
        assert_eq!((&found.session, &found.user.id), (&first, &user.id));
        let adopted = session_of(&user.id, id(1), at(0));
        assert_eq!(store.adopt(&adopted, &jti_of(&adopted), None).await.unwrap(), Adoption::Present);
        assert_eq!(store.end_surplus(&user.id, adopted.id, NonZeroU32::MIN, at(1)).await.unwrap(), [first.id]);
        let reused = started(&*store, &user.id, 10 * number + 2).await;
        assert!(store.revoke(reused.id, RevokeReason::Reuse, &effects(&[number]), at(2)).await.unwrap());
        assert_eq!(
            store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(3)).await.unwrap(),
            Some(1)
        );
        assert!(session_now(&*store, adopted.id).await.revoked_at.is_some());
        assert_eq!(user_now(&*store, &user.id).await.token_epoch, at(3));
    }
}

#[apply(account_case!)]
async fn passwords_codes_and_factors_work_for_users_with_any_id(store: Arc<dyn Store>) {
    for (number, user) in (0..).zip(users(&*store).await) {
        let code = |place| 10 * number + place;
        let enrolment = issued(&*store, &user.id, code(0), CodePurpose::EmailEnrolment).await;
        assert_eq!(store.find_code(enrolment.id).await.unwrap().map(|code| code.user_id), Some(user.id.clone()));
        let added = store
            .add_factor(&user.id, &NewFactor::Email, enrolment.id, &[], &Effects::NONE, at(1).into())
            .await
            .unwrap();
        assert_eq!(added, Some(true));
        assert!(store.factors_of(&user.id).await.unwrap().is_on());
        let login = issued(&*store, &user.id, code(1), CodePurpose::Login).await;
        assert_eq!(store.try_code(login.id, at(1)).await.unwrap().map(|code| code.user_id), Some(user.id.clone()));
        assert!(store.redeem(login.id, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
        assert!(store.remove_factors(&user.id, &[Method::Email], None, &Effects::NONE).await.unwrap());

        let (old, new) = (hash_of(&user.username), hash_of("upgraded"));
        assert!(store.upgrade_hash(&user.id, &old, &new).await.unwrap());
        let change = NewPassword::new(user.id.clone(), hash_of("new"));
        assert_eq!(store.set_password(&change, at(2)).await.unwrap(), PasswordUpdate::Done);
        assert_eq!(hash_now(&*store, &user).await, hash_of("new"));

        let address = email(&format!("moved{number}@example.com"));
        let moved = issued(&*store, &user.id, code(2), CodePurpose::EmailChange).await.id;
        let (user, effects) = (user.id, effects(&[number]));
        let proof =
            VerifiedEmail { user: user.clone(), code: moved, email: address, is_change: true, only_at: None, effects };
        let EmailUpdate::Done(now) = store.confirm_email(&proof, at(3).into()).await.unwrap() else {
            panic!("{user}: the email address was not changed");
        };
        assert_eq!(now.id, user);
        let change = ProfileChange { username: None, ..ProfileChange::default() };
        assert_eq!(store.update_profile(&user, &change).await.unwrap(), ProfileUpdate::Done(now));
        assert!(
            store.set_active(&user, false, &Effects::NONE).await.unwrap()
                && store.promote(&user, &Effects::NONE, at(4)).await.unwrap()
        );
        assert!(store.delete(&user, &Effects::NONE).await.unwrap());
        assert_eq!(store.find_user(&user).await.unwrap(), None);
        assert!(!queued(&*store).await.contains(&number), "its email is deleted too");
    }
}

#[apply(feed_case!)]
async fn feeds_report_users_with_any_id(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    for user in users(&*store).await {
        assert!(store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&*store).await, [changed(&user)]);
        enrolled(&*store, &user.id, &totp(1), &[]).await;
        // The factor and the stamp: reported once or twice, never with another ID.
        assert_eq!(followers.reported(&*store).await, all([changed(&user)]));
        assert!(store.delete(&user.id, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&*store).await, [changed(&user)]);
    }
}
