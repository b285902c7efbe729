//! Logout and blacklisting: the sessions that they revoke.

use auth_core::event::EventKind;
use auth_core::service::LogoutRequest;
use auth_core::token::TokenFault;

use crate::fixture::*;

#[tokio::test]
async fn a_logout_revokes_one_session_all_others_or_all() {
    let service = service(policy());
    service.register("alice").await;
    service.register("bob").await;
    let bob = service.login("bob").await;
    let pairs = [service.login("alice").await, service.login("alice").await, service.login("alice").await];
    let caller = service.tokens.authenticate(&access_of(&pairs[0])).await.unwrap();

    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pairs[1]))).await.unwrap();
    assert_eq!(fault(service.try_refresh(&pairs[1]).await), Some(TokenFault::Revoked));
    let again = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pairs[1]))).await;
    assert_eq!(fault(again), Some(TokenFault::Revoked));

    service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
    assert_eq!(fault(service.try_refresh(&pairs[2]).await), Some(TokenFault::Revoked));
    let own = service.refresh(&pairs[0]).await;

    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.try_refresh(&own).await), Some(TokenFault::Revoked));
    assert!(service.try_refresh(&bob).await.is_ok());
}

#[tokio::test]
async fn a_logout_with_a_used_token_revokes_the_session() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    let caller = service.tokens.authenticate(&access_of(&second)).await.unwrap();
    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&first))).await.unwrap();
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn a_logout_with_the_token_of_another_user_is_refused() {
    let service = service(policy());
    service.register("alice").await;
    service.register("mallory").await;
    let (alice, mallory) = (service.login("alice").await, service.login("mallory").await);
    let caller = service.tokens.authenticate(&access_of(&mallory)).await.unwrap();
    let refused = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&alice))).await;
    assert!(matches!(refused, Err(AuthError::TokenOfAnotherUser)));
    assert!(service.try_refresh(&alice).await.is_ok());
    assert_eq!(service.take_event_kinds().last(), Some(&EventKind::LogoutRefused));
}

#[tokio::test]
async fn blacklisting_a_token_revokes_its_session() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    service.tokens.blacklist(&refresh_of(&first)).await.unwrap();
    assert_eq!(fault(service.tokens.blacklist(&refresh_of(&first)).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.tokens.verify(&refresh_of(&first)).await), Some(TokenFault::Revoked));

    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    assert_eq!(fault(service.tokens.blacklist(&refresh_of(&first)).await), Some(TokenFault::Used));
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
}
