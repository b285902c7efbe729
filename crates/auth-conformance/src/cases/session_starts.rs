//! Sessions: starting and finding them.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::ports::TokenStore;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{ClientInfo, Generation, RevokeReason, Session, SessionId, SessionOfUser};
use auth_core::user::{GroupName, User};
use macro_rules_attribute::apply;

use super::TokenHost;
use super::token_fixture::{added, changed, session_now, set_active, started, user_now, user_with};
use crate::{at, session_id, session_of};

const LOGIN: Timestamp = Timestamp::from_micros(1_000_000_000_123_457);

/// Asserts that no session starts and that nothing is stored, not even the time of the last login.
async fn assert_refused(store: &dyn TokenStore, session: &Session, user: &User) {
    let before = user_with(store, &user.id).await;
    assert!(!store.start(session, user, Some(LOGIN), &Effects::NONE).await.unwrap());
    assert_eq!(store.find_session(session.id).await.unwrap(), None);
    assert_eq!(user_with(store, &user.id).await, before);
}

#[apply(token_case!)]
async fn stores_every_field_of_a_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = Session {
        id: SessionId::from_bytes([0, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 254, 255]),
        user_id: user.id.clone(),
        generation: Generation::new(4),
        rotated_at: at(1),
        created_at: at(2),
        last_used_at: at(3),
        expires_at: at(4),
        absolute_expires_at: Some(at(5)),
        revoked_at: None,
        revoke_reason: None,
        amr: "pwd otp".to_owned(),
        authenticated_at: at(-6),
        client: ClientInfo::new(Some("2001:db8::1".to_owned()), Some("Mozilla/5.0 (X11; \u{674E}) 'x' \"%_\\\"")),
    };
    assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
    assert_eq!(store.find_session(session.id).await.unwrap(), Some(SessionOfUser { session, user }));
}

#[apply(token_case!)]
async fn stores_the_extreme_values_of_a_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let widest = "\u{1F980}".repeat(ClientInfo::MAX_USER_AGENT_CHARS);
    let longest = Session {
        id: SessionId::from_bytes([0xFF; 16]),
        user_id: user.id.clone(),
        generation: Generation::LAST,
        rotated_at: UnixTime::MAX,
        created_at: UnixTime::MAX,
        last_used_at: UnixTime::MAX,
        expires_at: UnixTime::MAX,
        absolute_expires_at: Some(UnixTime::MAX),
        revoked_at: None,
        revoke_reason: None,
        amr: "pwd otp mfa".to_owned(),
        authenticated_at: UnixTime::MAX,
        client: ClientInfo::new(Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned()), Some(&widest)),
    };
    let start = UnixTime::from_seconds(0);
    let shortest = Session {
        id: SessionId::from_bytes([0; 16]),
        expires_at: start,
        absolute_expires_at: None,
        amr: String::new(),
        client: ClientInfo::default(),
        ..session_of(&user.id, session_id(0), start)
    };
    let empty = Session { id: session_id(1), client: ClientInfo::new(None, Some("")), ..shortest.clone() };
    for session in [longest, shortest, empty] {
        assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
        assert_eq!(session_now(&*store, session.id).await, session);
    }
}

#[apply(token_case!)]
async fn an_unknown_session_is_not_found(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    started(&*store, &user.id, 1).await;
    for id in [session_id(2), SessionId::from_bytes([0; 16]), SessionId::from_bytes([0xFF; 16])] {
        assert_eq!(store.find_session(id).await.unwrap(), None);
    }
}

#[apply(token_case!)]
async fn start_stores_the_last_login_if_given(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = added(&*host, "other").await;
    let later = Timestamp::from_micros(253_402_300_799_999_999);
    for (number, last_login, expected) in
        [(1, None, None), (2, Some(LOGIN), Some(LOGIN)), (3, None, Some(LOGIN)), (4, Some(later), Some(later))]
    {
        let session = session_of(&user.id, session_id(number), at(0));
        assert!(store.start(&session, &user, last_login, &Effects::NONE).await.unwrap());
        assert_eq!(user_now(&*store, &user.id).await, User { last_login: expected, ..user.clone() });
    }
    assert_eq!(user_now(&*store, &other.id).await, other);
}

#[apply(token_case!)]
async fn no_session_starts_for_an_inactive_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = session_of(&user.id, session_id(1), at(0));
    let inactive = set_active(&*host, &user.id, false).await;
    assert_refused(&*store, &session, &user).await;
    assert_refused(&*store, &session, &inactive).await;
    let active = set_active(&*host, &user.id, true).await;
    assert!(store.start(&session, &active, None, &Effects::NONE).await.unwrap());
}

#[apply(token_case!)]
async fn no_session_starts_for_a_user_read_before_revoke_all(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let kept = started(&*store, &user.id, 1).await;
    let session = session_of(&user.id, session_id(2), at(0));
    for (keep, now) in [(None, at(1)), (Some(kept.id), at(2)), (None, at(3))] {
        let before = user_now(&*store, &user.id).await;
        store.revoke_all(&user.id, keep, RevokeReason::LogoutAll, &Effects::NONE, now).await.unwrap();
        assert_refused(&*store, &session, &before).await;
        assert_refused(&*store, &session, &user).await;
    }
    assert!(store.start(&session, &user_now(&*store, &user.id).await, None, &Effects::NONE).await.unwrap());
}

#[apply(token_case!)]
async fn no_session_starts_for_a_user_read_before_a_change_of_rights(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let read = added(&*host, "alice").await;
    let session = session_of(&read.id, session_id(1), at(0));
    let next = |user: &User| user.security_stamp.next();
    let staff = changed(&*host, User { is_staff: true, security_stamp: next(&read), ..read.clone() }).await;
    assert_refused(&*store, &session, &read).await;
    let groups = BTreeSet::from([GroupName::parse("editors").unwrap()]);
    let editor = changed(&*host, User { groups, security_stamp: next(&staff), ..staff.clone() }).await;
    for before in [&read, &staff] {
        assert_refused(&*store, &session, before).await;
    }
    assert!(store.start(&session, &editor, None, &Effects::NONE).await.unwrap());
}

#[apply(token_case!)]
async fn no_session_starts_for_a_deleted_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    host.delete_user(&user.id).await;
    assert_refused(&*store, &session_of(&user.id, session_id(1), at(0)), &user).await;
}

/// Of the user as read by the caller, only the security stamp counts. Whether the user is active is checked in the
/// store.
#[apply(token_case!)]
async fn start_checks_the_stored_account(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let renamed = changed(&*host, User { username: "alicia".to_owned(), ..user.clone() }).await;
    assert_eq!(renamed.username, "alicia");
    let session = session_of(&user.id, session_id(1), at(0));
    assert!(
        store
            .start(&session, &User { is_active: false, is_staff: true, ..user.clone() }, None, &Effects::NONE)
            .await
            .unwrap()
    );
    assert_eq!(user_now(&*store, &user.id).await, renamed);
}

#[apply(token_case!)]
async fn find_session_returns_the_current_user(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let id = started(&*store, &user.id, 1).await.id;
    let found = async || store.find_session(id).await.unwrap().unwrap().user;
    assert_eq!(found().await, user);
    let renamed = changed(&*host, User { username: "alicia".to_owned(), ..user }).await;
    assert_eq!(found().await.username, "alicia");
    let inactive = set_active(&*host, &renamed.id, false).await;
    assert!(!found().await.is_active);
    let stamp = inactive.security_stamp.next();
    let staff = changed(&*host, User { is_staff: true, security_stamp: stamp, ..inactive }).await;
    assert!(found().await.is_staff);
    store.revoke_all(&staff.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(1)).await.unwrap();
    assert_eq!(found().await.token_epoch, at(1));
    assert_eq!(found().await, user_now(&*store, &staff.id).await);
}
