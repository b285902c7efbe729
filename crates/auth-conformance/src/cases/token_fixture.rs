//! Helpers of the token half: they store test data and read it back, with only a [`TokenHost`].

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};

use auth_core::effects::Effects;
use auth_core::ports::TokenStore;
use auth_core::token::{Generation, Session, SessionId, Subject, TokenId};
use auth_core::user::{User, UserId};

use super::TokenHost;
use crate::{at, new_email, session_id, session_of, user_of};

/// A new user with this username.
pub(super) async fn added(host: &dyn TokenHost, name: &str) -> User {
    added_as(host, &user_of(unused_id(), name)).await
}

/// A new user with these fields, as the store has it.
pub(super) async fn added_as(host: &dyn TokenHost, user: &User) -> User {
    let id = host.add_user(user).await;
    user_now(&*host.store(), &id).await
}

/// A user ID that no case has used yet.
pub(super) fn unused_id() -> UserId {
    static LAST: AtomicI64 = AtomicI64::new(0);
    UserId::new(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Replaces the fields of the user with this ID. Returns the user as stored.
pub(super) async fn changed(host: &dyn TokenHost, user: User) -> User {
    host.update_user(&user).await;
    user_now(&*host.store(), &user.id).await
}

/// Activates or deactivates a user, which advances the security stamp.
pub(super) async fn set_active(host: &dyn TokenHost, id: &UserId, is_active: bool) -> User {
    let user = user_now(&*host.store(), id).await;
    let changed = changed(host, User { is_active, security_stamp: user.security_stamp.next(), ..user }).await;
    assert_eq!(changed.is_active, is_active, "the host did not store the change");
    changed
}

/// A new session of a user, started at [`at`]`(0)`; its ID is [`session_id`]`(number)`.
pub(super) async fn started(store: &dyn TokenStore, user: &UserId, number: u64) -> Session {
    let session = session_of(user, session_id(number), at(0));
    let user = user_now(store, user).await;
    assert!(
        store.start(&session, &user, None, &Effects::NONE).await.unwrap(),
        "a session of an active user with the current security stamp was refused"
    );
    session
}

/// The user as stored now.
pub(super) async fn user_now(store: &dyn TokenStore, id: &UserId) -> User {
    user_with(store, id).await.expect("the user exists")
}

/// The user with this ID, if there is one.
pub(super) async fn user_with(store: &dyn TokenStore, id: &UserId) -> Option<User> {
    store.find_by_subject(&Subject::Id(id.clone())).await.unwrap()
}

/// The session as stored now.
pub(super) async fn session_now(store: &dyn TokenStore, id: SessionId) -> Session {
    store.find_session(id).await.unwrap().expect("the session exists").session
}

/// The `jti` of the externally issued token that is adopted as this session.
pub(super) fn jti_of(session: &Session) -> TokenId {
    TokenId::of_generation(session.id, Generation::FIRST)
}

/// Effects that enqueue emails with these numbers.
pub(super) fn effects(emails: &[u64]) -> Effects {
    emails.iter().map(|number| new_email(*number)).collect()
}

/// A number derived from a user ID, for the IDs of the user's sessions and codes.
pub(super) fn number_of(id: &UserId) -> u64 {
    let hash = || {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish() >> 32
    };
    id.as_integer().map_or_else(hash, i64::unsigned_abs)
}
