//! Sessions of users whom a host has authenticated, for example by single sign-on or a passkey.

use auth_accounts::account::{NewUser, NewUserId};
use auth_accounts::ports::Accounts;
use auth_accounts::service::Action;
use auth_conformance::{hash_of, new_user};
use auth_core::event::EventKind;
use auth_core::service::{LogoutRequest, TokenPair, TokenPolicy};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::RequiredFor;
use auth_core::token::{Authentication, RevokeReason, TokenFault, TokenKind};
use auth_core::user::{StringId, User, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::*;

fn passkey(at: UnixTime) -> Authentication {
    Authentication::new(["hwk", "mfa"], at).unwrap()
}

fn single_sign_on(at: UnixTime) -> Authentication {
    Authentication::new(["fed"], at).unwrap()
}

async fn started(service: &TestService, user: &User) -> Result<TokenPair, AuthError> {
    service.tokens.start_session(user, &passkey(service.now()), client()).await
}

#[tokio::test]
async fn a_session_starts_with_the_tokens_and_effects_of_a_login() {
    let service = service(policy());
    service.register("alice").await;
    service.advance(60);
    service.events.taken();
    let user = service.user("alice").await;
    let authenticated_at = service.now().minus(Seconds::new(30));
    let pair = service.tokens.start_session(&user, &passkey(authenticated_at), client()).await.unwrap();
    for claims in [service.claims(&access_of(&pair)), service.claims(&refresh_of(&pair))] {
        assert_eq!(claims["amr"], json!(["hwk", "mfa"]));
        assert_eq!((&claims["email"], &claims["iat"]), (&json!("alice@example.com"), &service.now().seconds().into()));
    }
    let session = service.store.sessions().remove(0);
    assert_eq!((session.amr.as_str(), session.client), ("hwk mfa", client()));
    assert_eq!((session.authenticated_at, session.created_at), (authenticated_at, service.now()));
    assert_eq!(service.take_event_kinds(), [EventKind::LoginSucceeded]);
    assert_eq!(service.user("alice").await.last_login.map(|at| at.unix()), Some(service.now()));
}

#[tokio::test]
async fn started_sessions_have_rotation_reuse_detection_and_logout() {
    let service = service(policy());
    service.register("alice").await;
    let user = service.user("alice").await;
    let (one, two) = (started(&service, &user).await.unwrap(), started(&service, &user).await.unwrap());
    let next = service.refresh(&one).await;
    assert_eq!(service.claims(&access_of(&next))["amr"], json!(["hwk", "mfa"]));
    service.advance(RETRY_WINDOW + 1);
    assert_eq!(fault(service.try_refresh(&one).await), Some(TokenFault::Reused));
    assert_eq!(fault(service.try_refresh(&next).await), Some(TokenFault::Revoked));
    let caller = service.caller(&two).await;
    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.tokens.authenticate(&access_of(&two)).await), Some(TokenFault::Revoked));
    let mut reasons: Vec<_> = service.store.sessions().iter().map(|session| session.revoke_reason.unwrap()).collect();
    reasons.sort_by_key(|reason| reason.name());
    assert_eq!(reasons, [RevokeReason::LogoutAll, RevokeReason::Reuse]);
}

#[tokio::test]
async fn no_session_starts_for_an_inactive_user() {
    let service = service(policy());
    service.register("alice").await;
    service.act("alice", Action::Deactivate).await;
    let refused = started(&service, &service.user("alice").await).await;
    assert!(matches!(refused, Err(AuthError::UserInactive)), "{refused:?}");
    assert_eq!(service.store.sessions(), []);
}

#[tokio::test]
async fn a_session_starts_with_more_than_one_factor_if_required() {
    for required in [RequiredFor::Nobody, RequiredFor::Staff, RequiredFor::All] {
        let service = service(requiring(required));
        for (name, is_staff) in [("alice", false), ("root", true)] {
            service.register(name).await;
            if is_staff {
                service.act(name, Action::Promote).await;
            }
            let user = service.user(name).await;
            let outcome = service.tokens.start_session(&user, &single_sign_on(service.now()), client()).await;
            if required.includes(&user) {
                assert!(matches!(outcome, Err(AuthError::MultiFactorRequired)), "{required:?} {name}: {outcome:?}");
            } else {
                outcome.unwrap();
            }
            started(&service, &user).await.unwrap();
        }
    }
}

/// The host decided how to authenticate the user before the change.
#[tokio::test]
async fn no_session_starts_if_the_user_was_changed_concurrently() {
    for action in [Action::Promote, Action::Deactivate, Action::Delete] {
        let service = service(policy());
        service.register("alice").await;
        let read = service.user("alice").await;
        service.act("alice", action.clone()).await;
        let outcome = started(&service, &read).await;
        assert!(matches!(outcome, Err(AuthError::UserChanged)), "{action:?}: {outcome:?}");
        assert_eq!(service.store.sessions(), [], "{action:?}");
    }
}

/// In a token, a negative integer is read as a string ID, which another user may have.
#[tokio::test]
async fn no_session_starts_for_a_negative_integer_id() {
    let service = service(policy());
    let alice = service.register("alice").await;
    let outcome = started(&service, &User { id: UserId::Integer(-1), ..alice }).await;
    assert!(matches!(outcome, Err(AuthError::Store(_))), "{outcome:?}");
    assert_eq!(service.store.sessions(), []);
}

#[tokio::test]
async fn sessions_work_for_every_kind_of_user_id() {
    let service = service(policy());
    let strings = ["007", "-1", "b7|e1", "\u{663}"].map(|id| NewUserId::String(StringId::parse(id).unwrap()));
    let ids = [NewUserId::Next, NewUserId::Uuid(Uuid::from_u128(7))].into_iter().chain(strings);
    for (number, id) in ids.enumerate() {
        let new = NewUser { id, ..new_user(&format!("user{number}")) };
        let user = service.store.create(&new, &hash_of(PASSWORD)).await.unwrap().unwrap();
        let pair = started(&service, &user).await.unwrap();
        assert_eq!(service.claims(&access_of(&pair))["user_id"], user.id.to_string());
        let pair = service.refresh(&pair).await;
        let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
        assert_eq!(caller.user.id, user.id);
        service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
        assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Revoked), "{}", user.id);
    }
}

/// The clock of the host's identity provider may be ahead.
#[tokio::test]
async fn the_time_of_authentication_is_never_in_the_future() {
    let service = service(policy());
    service.register("alice").await;
    let user = service.user("alice").await;
    let tomorrow = service.now().plus(Seconds::new(24 * 60 * 60));
    service.tokens.start_session(&user, &passkey(tomorrow), client()).await.unwrap();
    assert_eq!(service.store.sessions().remove(0).authenticated_at, service.now());
}

#[tokio::test]
async fn a_sliding_session_starts_if_sliding_tokens_are_accepted() {
    for accepted_kinds in [vec![TokenKind::Access], vec![TokenKind::Sliding]] {
        let is_accepted = accepted_kinds.contains(&TokenKind::Sliding);
        let service = service(TokenPolicy { accepted_kinds, ..policy() });
        service.register("alice").await;
        let user = service.user("alice").await;
        let outcome = service.tokens.start_sliding_session(&user, &passkey(service.now()), client()).await;
        assert_eq!(outcome.is_ok(), is_accepted);
        assert_eq!(fault(outcome), (!is_accepted).then_some(TokenFault::WrongKind));
        assert_eq!(service.store.sessions().len(), usize::from(is_accepted));
    }
}

/// Also under a policy in which access tokens outlive their session.
#[tokio::test]
async fn sessions_with_one_factor_are_refused_once_more_are_required() {
    let tokens = TokenPolicy { multi_factor_required_for: RequiredFor::Staff, ..simplejwt_policy() };
    let service = service(emailing(tokens));
    service.register("alice").await;
    let user = service.user("alice").await;
    let weak = service.tokens.start_session(&user, &single_sign_on(service.now()), client()).await.unwrap();
    let strong = started(&service, &user).await.unwrap();
    service.act("alice", Action::Promote).await;
    assert_eq!(fault(service.tokens.authenticate(&access_of(&weak)).await), Some(TokenFault::Revoked));
    assert!(service.tokens.authenticate(&access_of(&strong)).await.unwrap().user.is_staff);
}
