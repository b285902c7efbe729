//! Refresh: rotation, the replay window, reuse detection and the absolute lifetime.

use auth_accounts::service::Action;
use auth_core::event::EventKind;
use auth_core::ports::Sessions;
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::{TokenPair, TokenPolicy, TokenPorts, TokenService};
use auth_core::token::{RevokeReason, SessionId, TokenFault};
use serde_json::json;

use crate::fixture::*;

fn session_of(service: &TestService, pair: &TokenPair) -> SessionId {
    SessionId::parse(service.claims(&refresh_of(pair))["sid"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_token_can_be_exchanged_once() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Used));
    let third = service.refresh(&second).await;
    let claims = [&first, &second, &third].map(|pair| service.claims(&refresh_of(pair)));
    assert_eq!(claims.each_ref().map(|claims| claims["gen"].clone()), [json!(0), json!(1), json!(2)]);
    assert!(claims[0]["jti"] != claims[1]["jti"] && claims[1]["jti"] != claims[2]["jti"]);
}

#[tokio::test]
async fn a_used_token_outside_the_replay_window_revokes_its_session_only() {
    let service = service(policy());
    service.register("alice").await;
    let (first, other) = (service.login("alice").await, service.login("alice").await);
    let second = service.refresh(&first).await;
    service.events.taken();
    service.advance(RETRY_WINDOW);
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Reused));
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.tokens.authenticate(&access_of(&second)).await), Some(TokenFault::Revoked));
    assert!(service.try_refresh(&other).await.is_ok());
    assert_eq!(service.take_event_kinds(), [EventKind::RefreshReused]);
    let stored = service.store.find_session(session_of(&service, &first)).await.unwrap().unwrap();
    assert_eq!(stored.session.revoke_reason, Some(RevokeReason::Reuse));
}

#[tokio::test]
async fn a_token_two_rotations_old_has_no_replay_window() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    service.refresh(&second).await;
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Reused));
}

#[tokio::test]
async fn a_replay_returns_the_same_successor() {
    let rotation = RotationPolicy { on_retry: OnRetry::Replay, ..policy().rotation };
    for policy in [policy(), simplejwt_policy()] {
        let service = service(TokenPolicy { rotation, ..policy });
        service.register("alice").await;
        let first = service.login("alice").await;
        let second = service.refresh(&first).await;
        service.advance(RETRY_WINDOW - 1);
        let again = service.refresh(&first).await;
        assert_eq!(again.refresh.expose(), second.refresh.expose());
        assert!(service.try_refresh(&again).await.is_ok());
    }
}

#[tokio::test]
async fn profile_claims_are_read_again_at_each_refresh() {
    let service = service(simplejwt_policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    service.act("alice", Action::Promote).await;
    let second = service.refresh(&first).await;
    assert_eq!(service.claims(&access_of(&second))["role"], "admin");
    assert_eq!(service.claims(&refresh_of(&second))["role"], "admin");
}

#[tokio::test]
async fn inactive_and_deleted_users_get_no_new_tokens() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    service.act("alice", Action::Deactivate).await;
    assert!(matches!(service.try_refresh(&pair).await, Err(AuthError::NoActiveAccount)));
    assert!(matches!(service.tokens.authenticate(&access_of(&pair)).await, Err(AuthError::UserInactive)));
    service.act("alice", Action::Activate).await;
    let pair = service.refresh(&pair).await;
    service.act("alice", Action::Delete).await;
    assert!(matches!(service.try_refresh(&pair).await, Err(AuthError::NoActiveAccount)));
    assert!(matches!(service.tokens.authenticate(&access_of(&pair)).await, Err(AuthError::UserNotFound)));
}

#[tokio::test]
async fn a_session_ends_with_its_absolute_lifetime() {
    let service = service(policy());
    service.register("alice").await;
    let mut pair = service.login("alice").await;
    let end = service.now().seconds() + SESSION_MAX_TTL as i64;
    while service.now().seconds() + 400 < end {
        service.advance(400);
        pair = service.refresh(&pair).await;
        assert!(service.claims(&refresh_of(&pair))["exp"].as_i64().unwrap() <= end);
        assert!(service.claims(&access_of(&pair))["exp"].as_i64().unwrap() <= end);
    }
    service.advance((end - service.now().seconds()) as u64);
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Expired));
}

#[tokio::test]
async fn a_generation_that_was_never_issued_is_refused_and_recorded() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    let session = session_of(&service, &pair);
    let mut claims = service.claims(&refresh_of(&pair));
    let generation = auth_core::token::Generation::new(7);
    claims.insert("gen".to_owned(), json!(7));
    claims.insert("jti".to_owned(), json!(auth_core::token::TokenId::of_generation(session, generation).as_str()));
    let forged = service.forge(claims.into());
    assert_eq!(fault(service.tokens.refresh(&forged).await), Some(TokenFault::NeverIssued));
    assert_eq!(service.take_event_kinds().last(), Some(&EventKind::RefreshNeverIssued));
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn a_reused_token_revokes_its_session_even_if_the_notice_fails() {
    struct Broken;
    impl auth_core::ports::ReuseNotices for Broken {
        fn effects(&self, _: &auth_core::user::User) -> Result<auth_core::effects::Effects, AuthError> {
            Err(AuthError::Crypto("no key".into()))
        }
    }
    let service = service(policy());
    let pair = service.login("alice").await;
    let notices: Option<std::sync::Arc<dyn auth_core::ports::ReuseNotices>> = Some(std::sync::Arc::new(Broken));
    let ports = TokenPorts { reuse_notices: notices, ..service.tokens.ports().clone() };
    let tokens = TokenService::new(ports, policy());
    let next = service.refresh(&pair).await;
    service.advance(RETRY_WINDOW + 1);
    assert!(matches!(tokens.refresh(&refresh_of(&pair)).await, Err(AuthError::Crypto(_))));
    assert_eq!(fault(service.try_refresh(&next).await), Some(TokenFault::Revoked));
    assert!(service.take_event_kinds().contains(&EventKind::RefreshReused));
}
