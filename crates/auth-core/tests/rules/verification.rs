//! Verification: kinds of tokens, and claims that must belong together.

use auth_core::service::LogoutRequest;
use auth_core::token::TokenFault;
use serde_json::json;

use crate::fixture::*;

#[tokio::test]
async fn verification_changes_nothing() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    service.advance(RETRY_WINDOW * 2);
    for (token, expected) in [
        (refresh_of(&first), Some(TokenFault::Spent)),
        (refresh_of(&second), None),
        (access_of(&second), None),
        (access_of(&first), None),
    ] {
        assert_eq!(fault(service.tokens.verify(&token).await), expected);
    }
    assert!(service.try_refresh(&second).await.is_ok());
}

#[tokio::test]
async fn a_token_is_refused_where_another_kind_is_wanted() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    let access = access_of(&pair);
    let caller = service.tokens.authenticate(&access).await.unwrap();
    assert_eq!(fault(service.tokens.refresh(&access).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.blacklist(&access).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.logout(&caller, LogoutRequest::One(access)).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.authenticate(&refresh_of(&pair)).await), Some(TokenFault::WrongKind));
}

#[tokio::test]
async fn subject_session_and_name_of_a_token_belong_together() {
    let service = service(policy());
    service.register("alice").await;
    let mallory = service.register("mallory").await;
    let pair = service.login("alice").await;
    for (claim, value) in [
        ("user_id", json!(mallory.id.to_string())),
        ("jti", json!("e430b0ef5c2a40d3a7c2fa027bd9afc1")),
        ("gen", json!(1)),
        ("gen", json!(null)),
    ] {
        let mut claims = service.claims(&refresh_of(&pair));
        claims.insert(claim.to_owned(), value);
        let forged = service.forge(claims.into());
        assert_eq!(fault(service.tokens.refresh(&forged).await), Some(TokenFault::BadClaim), "{claim}");
    }
    let mut claims = service.claims(&access_of(&pair));
    claims.insert("user_id".to_owned(), json!(mallory.id.to_json()));
    assert_eq!(fault(service.tokens.authenticate(&service.forge(claims.into())).await), Some(TokenFault::BadClaim));
    assert!(service.try_refresh(&pair).await.is_ok());
}
