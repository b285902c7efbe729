//! Sessions: adoption of externally issued tokens.

use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Swap, TokenStore};
use auth_core::time::UnixTime;
use auth_core::token::{ClientInfo, Generation, NextGeneration, RevokeReason, Session, SessionOfUser, TokenId};
use auth_core::user::{User, UserId};
use macro_rules_attribute::apply;

use super::TokenHost;
use super::token_fixture::{added, changed, jti_of, session_now, set_active, started, user_now};
use crate::{at, session_id, session_of, successor_of};

async fn adopted(store: &dyn TokenStore, session: &Session, issued_at: Option<UnixTime>) -> Adoption {
    store.adopt(session, &jti_of(session), issued_at).await.unwrap()
}

#[apply(token_case!)]
async fn adoption_stores_every_field_of_the_session(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = Session {
        rotated_at: at(1),
        created_at: at(2),
        last_used_at: at(3),
        expires_at: at(4),
        absolute_expires_at: None,
        amr: String::new(),
        client: ClientInfo::default(),
        ..session_of(&user.id, session_id(1), at(0))
    };
    assert_eq!(adopted(&*store, &session, Some(at(1))).await, Adoption::Present);
    let found = store.find_session(session.id).await.unwrap();
    assert_eq!(
        found,
        Some(SessionOfUser { session: session.clone(), user }),
        "adoption is not a login and leaves the account unchanged"
    );
    // From now on it behaves like any other session.
    let next = successor_of(&session, at(3));
    assert_eq!(store.advance(session.id, Generation::FIRST, next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(4)).await.unwrap());
}

/// A second adoption must not make a used or revoked token live again.
#[apply(token_case!)]
async fn a_second_adoption_changes_nothing(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = session_of(&user.id, session_id(1), at(0));
    let again = Session { last_used_at: at(9), expires_at: at(1_000_000), ..session.clone() };
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
    assert_eq!(adopted(&*store, &again, None).await, Adoption::Present);
    assert_eq!(session_now(&*store, session.id).await, session);

    let next = successor_of(&session, at(3));
    assert_eq!(store.advance(session.id, Generation::FIRST, next, &Effects::NONE).await.unwrap(), Swap::Done);
    let rotated = session_now(&*store, session.id).await;
    assert_eq!(adopted(&*store, &again, None).await, Adoption::Present);
    assert_eq!(session_now(&*store, session.id).await, rotated);

    assert!(store.revoke(session.id, RevokeReason::Reuse, &Effects::NONE, at(4)).await.unwrap());
    let revoked = session_now(&*store, session.id).await;
    assert_eq!(adopted(&*store, &again, None).await, Adoption::Present);
    assert_eq!(session_now(&*store, session.id).await, revoked);
}

/// If both apply, the store may return `Present` or `Refused`. It must not change the session.
#[apply(token_case!)]
async fn a_refused_second_adoption_changes_nothing(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = session_of(&user.id, session_id(1), at(0));
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
    assert!(store.refuse(&jti_of(&session), session.expires_at, "test", &Effects::NONE).await.unwrap());
    assert_ne!(adopted(&*store, &session, None).await, Adoption::NoUser);
    assert_eq!(session_now(&*store, session.id).await, session);

    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(5)).await.unwrap(),
        Some(1)
    );
    let revoked = session_now(&*store, session.id).await;
    assert_ne!(adopted(&*store, &session, Some(at(1))).await, Adoption::NoUser);
    assert_eq!(session_now(&*store, session.id).await, revoked);
}

#[apply(token_case!)]
async fn refuses_to_adopt_a_blacklisted_token(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    // The session ID may be derived from the token ID; the blacklist holds the token ID.
    let jti = TokenId::parse("my-token").unwrap();
    assert!(store.refuse(&jti, at(500), "test", &Effects::NONE).await.unwrap());
    let session = session_of(&user.id, session_id(1), at(0));
    assert_eq!(store.adopt(&session, &jti, Some(at(0))).await.unwrap(), Adoption::Refused);
    assert_eq!(store.find_session(session.id).await.unwrap(), None);
    let other = TokenId::parse("My-token").unwrap();
    assert_eq!(store.adopt(&session, &other, Some(at(0))).await.unwrap(), Adoption::Present);
}

#[apply(token_case!)]
async fn refuses_to_adopt_a_token_not_issued_after_the_epoch(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let other = added(&*host, "other").await;
    let keep = started(&*store, &user.id, 100).await;
    for (keep, epoch) in [(None, 10), (Some(keep.id), 20)] {
        store.revoke_all(&user.id, keep, RevokeReason::LogoutAll, &Effects::NONE, at(epoch)).await.unwrap();
        for (issued_at, expected) in [
            (None, Adoption::Refused),
            (Some(at(epoch - 1)), Adoption::Refused),
            (Some(at(epoch)), Adoption::Refused),
            (Some(UnixTime::from_seconds(0)), Adoption::Refused),
            (Some(at(epoch + 1)), Adoption::Present),
        ] {
            let session = session_of(&user.id, session_id(epoch as u64), at(0));
            assert_eq!(adopted(&*store, &session, issued_at).await, expected, "{issued_at:?}, epoch {epoch}");
            assert_eq!(store.find_session(session.id).await.unwrap().is_some(), expected == Adoption::Present);
        }
    }
    let session = session_of(&other.id, session_id(1), at(0));
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
}

#[apply(token_case!)]
async fn adopts_any_token_until_the_epoch_first_advances(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    for (number, issued_at) in [(1, None), (2, Some(UnixTime::from_seconds(0))), (3, Some(at(0)))] {
        let session = session_of(&user.id, session_id(number), at(0));
        assert_eq!(adopted(&*store, &session, issued_at).await, Adoption::Present, "{issued_at:?}");
        assert_eq!(session_now(&*store, session.id).await, session);
    }
    assert_eq!(user_now(&*store, &user.id).await, user);
}

#[apply(token_case!)]
async fn refuses_to_adopt_a_token_of_a_missing_user(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    host.delete_user(&user.id).await;
    for id in [user.id, UserId::new(i64::MAX)] {
        let session = session_of(&id, session_id(1), at(0));
        assert_eq!(adopted(&*store, &session, Some(at(0))).await, Adoption::NoUser);
        assert_eq!(store.find_session(session.id).await.unwrap(), None);
    }
    assert_eq!(store.prune_sessions(UnixTime::MAX, 10).await.unwrap(), 0);
}

/// If the session were pruned before its first token expires, a used or revoked token could be adopted again.
#[apply(token_case!)]
async fn an_adopted_session_is_not_pruned_before_its_first_token_expires(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    let session = Session { expires_at: at(1_000), ..session_of(&user.id, session_id(1), at(0)) };
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
    let next = NextGeneration { generation: Generation::new(1), rotated_at: at(100), expires_at: at(110) };
    assert_eq!(store.advance(session.id, Generation::FIRST, next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(105)).await.unwrap());

    for now in [at(200), at(1_000)] {
        assert_eq!(store.prune_sessions(now, 10).await.unwrap(), 0);
        assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
        assert!(session_now(&*store, session.id).await.revoked_at.is_some());
    }
    assert_eq!(store.prune_sessions(at(1_001), 10).await.unwrap(), 1);
}

/// Whether the account is active is checked when the session is used.
#[apply(token_case!)]
async fn adoption_does_not_check_whether_the_account_is_active(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let user = added(&*host, "alice").await;
    set_active(&*host, &user.id, false).await;
    let session = session_of(&user.id, session_id(1), at(0));
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
    assert!(!store.find_session(session.id).await.unwrap().unwrap().user.is_active);
}

/// The issuer did not require the second factor.
#[apply(token_case!)]
async fn refuses_to_adopt_a_token_not_issued_before_a_second_factor(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let (user, other) = (added(&*host, "alice").await, added(&*host, "other").await.id);
    let id = user.id.clone();
    let adopted_early = session_of(&id, session_id(1), at(0));
    assert_eq!(adopted(&*store, &adopted_early, Some(at(5))).await, Adoption::Present);
    let user = with_factor_since(&*host, user, Some(at(100))).await;
    for (issued_at, expected) in [
        (None, Adoption::Refused),
        (Some(at(101)), Adoption::Refused),
        // The clock of the issuer may be behind.
        (Some(at(40)), Adoption::Refused),
        (Some(at(39)), Adoption::Present),
    ] {
        let session = session_of(&id, session_id(2), at(0));
        assert_eq!(adopted(&*store, &session, issued_at).await, expected, "{issued_at:?}");
        assert_eq!(store.find_session(session.id).await.unwrap().is_some(), expected == Adoption::Present);
    }
    // A session that was adopted earlier stays.
    assert_eq!(adopted(&*store, &adopted_early, Some(at(5))).await, Adoption::Present);
    let session = session_of(&other, session_id(3), at(0));
    assert_eq!(adopted(&*store, &session, None).await, Adoption::Present);
    with_factor_since(&*host, user, None).await;
    let session = session_of(&id, session_id(4), at(0));
    assert_eq!(
        adopted(&*store, &session, Some(at(101))).await,
        Adoption::Present,
        "the user has no second factor any more"
    );
}

async fn with_factor_since(host: &dyn TokenHost, user: User, since: Option<UnixTime>) -> User {
    let stamp = user.security_stamp.next();
    let user = changed(host, User { multi_factor_since: since, security_stamp: stamp, ..user }).await;
    assert_eq!(user.multi_factor_since, since, "the host did not store the change");
    user
}
