//! Helpers of the account half: they store test data and read it back.

use auth_accounts::account::{LoginName, NewUser};
use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::email::OutboxEntry;
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{AccountPage, IssueIf, NewPassword, OutboxPage, PasswordUpdate, Store};
use auth_accounts::second_factor::NewFactor;
use auth_accounts::secret::{Mac, Sealed};
use auth_core::effects::Effects;
use auth_core::time::UnixTime;
use auth_core::user::{User, UserId};

pub(super) use super::token_fixture::{effects, jti_of, number_of, session_now, started};
use crate::{SeededRandomness, at, code_id, code_of, hash_of, message_id, new_user};

/// A new user with this username, which is also the password.
pub(super) async fn stored(store: &dyn Store, name: &str) -> User {
    created(store, &new_user(name)).await
}

/// A new user, whose password is the username.
pub(super) async fn created(store: &dyn Store, new: &NewUser) -> User {
    store.create(new, &hash_of(new.username.as_str())).await.unwrap().expect("name and address are free")
}

/// Sets a password unconditionally.
pub(super) async fn password_set(store: &dyn Store, user: &UserId, password: &str, now: UnixTime) {
    let new = NewPassword::new(user.clone(), hash_of(password));
    assert_eq!(store.set_password(&new, now).await.unwrap(), PasswordUpdate::Done);
}

/// The user as stored now.
pub(super) async fn user_now(store: &dyn Store, id: &UserId) -> User {
    store.find_user(id).await.unwrap().expect("the account exists")
}

/// The password hash of a user as stored now.
pub(super) async fn hash_now(store: &dyn Store, user: &User) -> PasswordHash {
    let name = LoginName::Username(user.username.clone());
    store.find_for_login(&name).await.unwrap().expect("the account exists").1
}

/// A new code of a user, issued at [`at`]`(0)`.
pub(super) async fn issued(store: &dyn Store, user: &UserId, number: u64, purpose: CodePurpose) -> OneTimeCode {
    let code = code_of(user, code_id(number), purpose, at(0));
    assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap(), "the account exists");
    code
}

/// The code as stored now.
pub(super) async fn code_now(store: &dyn Store, id: CodeId) -> OneTimeCode {
    store.find_code(id).await.unwrap().expect("the code exists")
}

/// Adds a second factor with these recovery codes.
pub(super) async fn enrolled(store: &dyn Store, user: &UserId, factor: &NewFactor, recovery_codes: &[Mac]) {
    let is_email = u64::from(*factor == NewFactor::Email);
    let enrolment = CodeId::generate(&SeededRandomness::new(2 * number_of(user) + is_email));
    assert!(
        store
            .issue(&code_of(user, enrolment, CodePurpose::Login, at(0)), &Effects::NONE, &IssueIf::default())
            .await
            .unwrap()
    );
    let answer = store.add_factor(user, factor, enrolment, recovery_codes, &Effects::NONE, at(0).into()).await.unwrap();
    assert!(answer.is_some(), "the code is unused");
}

/// An authenticator whose code of this time step was used.
pub(super) fn totp(step: u64) -> NewFactor {
    NewFactor::Totp { secret: Sealed::new(vec![0xFF, 0, b'T']), step }
}

/// Every entry of the outbox.
pub(super) async fn outbox(store: &dyn Store) -> Vec<OutboxEntry> {
    store.list_outbox(OutboxPage { only_failed: false, after: None, limit: u32::MAX }).await.unwrap()
}

/// The message IDs in the outbox, as the arguments of [`message_id`].
pub(super) async fn queued(store: &dyn Store) -> Vec<u64> {
    let number = |entry: OutboxEntry| (0..1_000).find(|number| message_id(*number) == entry.id).expect("a number");
    outbox(store).await.into_iter().map(number).collect()
}

/// The user who logs in with this username.
pub(super) async fn by_username(store: &dyn Store, text: &str) -> Option<User> {
    store.find_for_login(&LoginName::Username(text.to_owned())).await.unwrap().map(|(user, _)| user)
}

/// The user who logs in with this email address.
pub(super) async fn by_email(store: &dyn Store, text: &str) -> Option<User> {
    store.find_for_login(&LoginName::Email(text.to_owned())).await.unwrap().map(|(user, _)| user)
}

/// Every user.
pub(super) async fn all_users(store: &dyn Store) -> Vec<User> {
    store.list(AccountPage { after: None, limit: u32::MAX }).await.unwrap().users
}
