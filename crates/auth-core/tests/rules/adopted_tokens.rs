//! Externally issued refresh tokens: adopted as sessions where the policy says so.

use auth_core::AuthError;
use auth_core::service::LogoutRequest;
use auth_core::token::TokenFault;
use serde_json::json;

use crate::fixture::*;

fn foreign(service: &TestService, jti: &str, user: i64) -> auth_core::token::RawToken {
    let now = service.now().seconds();
    service.forge(json!({
        "token_type": "refresh", "exp": now + 300, "iat": now, "jti": jti, "user_id": user.to_string(),
        "email": "old@example.com", "custom": {"a": [1]}, "nbf": 1, "aud": "somebody",
    }))
}

#[tokio::test]
async fn are_adopted_once_and_then_rotate_as_any_other() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    for jti in ["e430b0ef5c2a40d3a7c2fa027bd9afc1", "no-uuid-at-all"] {
        let token = foreign(&service, jti, user.id.get());
        assert!(service.tokens.verify(&token).await.is_ok());
        let pair = pair_of(service.tokens.refresh(&token).await.unwrap());
        let claims = service.claims(&access_of(&pair));
        assert_eq!((&claims["email"], &claims["custom"]), (&json!("alice@example.com"), &json!({"a": [1]})));
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Spent));
        let next = service.refresh(&pair).await;
        let inherited = service.claims(&refresh_of(&next));
        assert_eq!((&inherited["custom"], &inherited["nbf"]), (&json!({"a": [1]}), &json!(1)));
        assert_eq!(inherited["aud"], "somebody");
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Reused));
        assert_eq!(fault(service.try_refresh(&next).await), Some(TokenFault::Revoked));
    }
}

#[tokio::test]
async fn are_refused_where_nobody_wants_them() {
    let service = service(policy());
    let user = service.register("alice").await;
    let token = foreign(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.get());
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::UnknownSession));
    assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::UnknownSession));
    assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::UnknownSession));
}

#[tokio::test]
async fn stay_out_of_use_once_they_are_blacklisted() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    for (jti, user) in [("known", user.id.get()), ("unknown", 999)] {
        let token = foreign(&service, jti, user);
        assert!(service.tokens.verify(&token).await.is_ok());
        service.tokens.blacklist(&token).await.unwrap();
        assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::Revoked), "{jti}");
        assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::Revoked), "{jti}");
        assert!(service.tokens.refresh(&token).await.is_err(), "{jti}");
    }
}

#[tokio::test]
async fn die_with_a_logout_of_all_though_they_were_never_seen() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    let token = foreign(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.get());
    service.advance(1);
    let pair = service.login("alice").await;
    let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn that_name_no_account_are_refused_everywhere() {
    let service = service(simplejwt_policy());
    service.register("alice").await;
    let now = service.now().seconds();
    for subject in
        [json!(null), json!("abc"), json!(""), json!([1]), json!(1e30), json!(1.5), json!(true), json!("1\u{0}")]
    {
        let claims = |kind| json!({"token_type": kind, "exp": now + 300, "jti": "x", "user_id": subject});
        let refreshed = service.tokens.refresh(&service.forge(claims("refresh"))).await;
        assert!(matches!(refreshed, Err(AuthError::NoActiveAccount)), "{subject}");
        let authenticated = service.tokens.authenticate(&service.forge(claims("access"))).await;
        assert!(matches!(authenticated, Err(AuthError::UserNotFound)), "{subject}");
    }
    let nameless = service.forge(json!({"token_type": "access", "exp": now + 300, "jti": "x"}));
    assert!(matches!(service.tokens.authenticate(&nameless).await, Err(AuthError::SubjectMissing)));
}
