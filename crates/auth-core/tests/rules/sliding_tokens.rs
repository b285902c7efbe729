//! Sliding tokens, which open guarded routes and renew themselves.

use auth_accounts::service::Action;
use auth_core::service::{LogoutRequest, SignedToken, SlidingPolicy, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{ClaimNames, ClaimRules, RawToken, TokenFault, TokenKind};
use serde_json::json;

use crate::fixture::*;

fn policy_with_sliding() -> TokenPolicy {
    TokenPolicy { accepted_kinds: vec![TokenKind::Access, TokenKind::Sliding], ..policy() }
}

fn raw(token: &SignedToken) -> RawToken {
    RawToken::parse(token.expose()).unwrap()
}

#[tokio::test]
async fn sliding_tokens_open_guarded_routes_if_accepted() {
    for (policy, accepted) in [(policy(), false), (policy_with_sliding(), true)] {
        let service = service(policy);
        service.register("alice").await;
        match service.try_login_sliding("alice").await {
            Ok(token) if accepted => {
                assert!(service.tokens.authenticate(&raw(&token)).await.is_ok());
                assert!(service.tokens.verify(&raw(&token)).await.is_ok());
            }
            // No sliding token is issued where none is accepted.
            refused => assert_eq!((accepted, fault(refused)), (false, Some(TokenFault::WrongKind))),
        }
    }
}

#[tokio::test]
async fn a_renewed_token_keeps_its_id_and_refresh_period_and_has_a_new_expiry() {
    let service = service(policy_with_sliding());
    service.register("alice").await;
    let first = raw(&service.try_login_sliding("alice").await.unwrap());
    service.advance(ACCESS_TTL - 1);
    let second = raw(&service.tokens.refresh_sliding(&first).await.unwrap());
    let (old, new) = (service.claims(&first), service.claims(&second));
    for name in ["jti", "refresh_exp", "sid", "user_id", "token_type"] {
        assert_eq!(old[name], new[name], "{name}");
    }
    assert_eq!(new["exp"].as_i64().unwrap() - new["iat"].as_i64().unwrap(), ACCESS_TTL as i64);
    assert_eq!(new["iat"], service.now().seconds());
    // The old one is valid until it expires: both have the same token ID.
    assert!(service.tokens.authenticate(&first).await.is_ok());
    service.advance(1);
    assert_eq!(fault(service.tokens.refresh_sliding(&first).await), Some(TokenFault::Expired));
    assert!(service.tokens.authenticate(&second).await.is_ok());
}

#[tokio::test]
async fn lifetimes_are_those_of_the_sliding_policy() {
    for (ttl, refresh_ttl) in [(45, 500), (90, 700)] {
        let sliding = SlidingPolicy { ttl: Seconds::new(ttl), refresh_ttl: Seconds::new(refresh_ttl) };
        let service = service(TokenPolicy { sliding, ..policy_with_sliding() });
        service.register("alice").await;
        let first = raw(&service.try_login_sliding("alice").await.unwrap());
        let login = service.now().seconds();
        service.advance(ttl - 1);
        assert!(service.tokens.authenticate(&first).await.is_ok());
        let second = raw(&service.tokens.refresh_sliding(&first).await.unwrap());
        for (token, issued) in [(&first, login), (&second, service.now().seconds())] {
            let claims = service.claims(token);
            assert_eq!(claims["iat"], issued);
            assert_eq!(claims["exp"], issued + ttl as i64);
            assert_eq!(claims["refresh_exp"], login + refresh_ttl as i64);
        }
        service.advance(1);
        assert_eq!(fault(service.tokens.authenticate(&first).await), Some(TokenFault::Expired));
    }
}

#[tokio::test]
async fn the_claim_of_the_refresh_period_has_the_configured_name() {
    let names = ClaimNames::new("token_type", "jti", "user_id", "until").unwrap();
    let claim_rules = ClaimRules { names, ..ClaimRules::default() };
    let service = service(TokenPolicy { claim_rules, adopt_external_tokens: true, ..policy_with_sliding() });
    let user = service.register("alice").await;
    let mut token = raw(&service.try_login_sliding("alice").await.unwrap());
    let end = service.now().seconds() + REFRESH_TTL as i64;
    for _ in 0..3 {
        let claims = service.claims(&token);
        assert_eq!(claims["until"], end);
        assert!(!claims.contains_key("refresh_exp"));
        assert!(service.tokens.authenticate(&token).await.is_ok());
        service.advance(1);
        token = raw(&service.tokens.refresh_sliding(&token).await.unwrap());
    }
    // A claim with the default name is ignored.
    for (name, expires_in, expected) in [
        ("until", 600, None),
        ("until", 0, Some(TokenFault::RefreshExpired)),
        ("refresh_exp", 600, Some(TokenFault::NoRefreshExpiry)),
    ] {
        let external_token = service.forge(json!({"token_type": "sliding", "exp": service.now().seconds() + 60, "jti": "a-name",
            "iat": service.now().seconds(), "user_id": user.id.to_string(), name: service.now().seconds() + expires_in}));
        assert_eq!(fault(service.tokens.refresh_sliding(&external_token).await), expected, "{name} {expires_in}");
    }
}

#[tokio::test]
async fn a_token_cannot_be_renewed_after_its_refresh_period() {
    let service = service(policy_with_sliding());
    service.register("alice").await;
    let mut token = raw(&service.try_login_sliding("alice").await.unwrap());
    let end = service.claims(&token)["refresh_exp"].as_i64().unwrap();
    while service.now().seconds() < end - 1 {
        service.advance(((end - 1 - service.now().seconds()) as u64).min(ACCESS_TTL - 1));
        token = raw(&service.tokens.refresh_sliding(&token).await.unwrap());
    }
    service.advance(1);
    assert_eq!(fault(service.tokens.refresh_sliding(&token).await), Some(TokenFault::RefreshExpired));
    // It still opens guarded routes until it expires.
    assert!(service.tokens.authenticate(&token).await.is_ok());
}

#[tokio::test]
async fn a_token_must_have_the_end_of_its_refresh_period() {
    let service = service(TokenPolicy { adopt_external_tokens: true, ..policy_with_sliding() });
    let user = service.register("alice").await;
    for (changes, expected) in [
        (json!({}), None),
        (json!({"refresh_exp": null}), Some(TokenFault::BadClaim)),
        (json!({"refresh_exp": "soon"}), Some(TokenFault::BadClaim)),
        (json!({"refresh_exp": service.now().seconds()}), Some(TokenFault::RefreshExpired)),
        (json!({"refresh_exp": "absent"}), Some(TokenFault::NoRefreshExpiry)),
        (json!({"token_type": "access"}), Some(TokenFault::WrongKind)),
        (json!({"token_type": "refresh"}), Some(TokenFault::WrongKind)),
        (json!({"sid": "e430b0ef5c2a40d3a7c2fa027bd9afc1"}), Some(TokenFault::BadClaim)),
    ] {
        let mut claims = json!({"token_type": "sliding", "exp": service.now().seconds() + 60, "jti": "a-name", "iat": service.now().seconds(),
            "user_id": user.id.to_string(), "refresh_exp": service.now().seconds() + 600});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        if changes["refresh_exp"] == "absent" {
            claims.as_object_mut().unwrap().remove("refresh_exp");
        }
        let outcome = service.tokens.refresh_sliding(&service.forge(claims)).await;
        assert_eq!(fault(outcome), expected, "{changes}");
    }
}

#[tokio::test]
async fn external_sliding_tokens_are_adopted_and_can_be_blacklisted() {
    let service =
        service(TokenPolicy { check_session_on_access: false, adopt_external_tokens: true, ..policy_with_sliding() });
    let user = service.register("alice").await;
    let claims = json!({"token_type": "sliding", "exp": service.now().seconds() + 60, "jti": "a-name", "iat": service.now().seconds(),
        "user_id": user.id.to_string(), "refresh_exp": service.now().seconds() + 600});
    let external_token = service.forge(claims);
    assert!(service.tokens.authenticate(&external_token).await.is_ok());
    let renewed = raw(&service.tokens.refresh_sliding(&external_token).await.unwrap());
    assert_eq!(service.claims(&renewed)["jti"], "a-name");
    service.tokens.blacklist(&renewed).await.unwrap();
    for token in [&external_token, &renewed] {
        assert_eq!(fault(service.tokens.authenticate(token).await), Some(TokenFault::Revoked));
        assert_eq!(fault(service.tokens.refresh_sliding(token).await), Some(TokenFault::Revoked));
        assert_eq!(fault(service.tokens.verify(token).await), Some(TokenFault::Revoked));
    }
}

#[tokio::test]
async fn sliding_tokens_end_with_a_logout_and_with_their_user() {
    for check_session_on_access in [true, false] {
        let service = service(TokenPolicy { check_session_on_access, ..policy_with_sliding() });
        service.register("alice").await;
        let [one, two, three] = [(); 3].map(|()| service.try_login_sliding("alice"));
        let (one, two, three) = (raw(&one.await.unwrap()), raw(&two.await.unwrap()), raw(&three.await.unwrap()));
        let caller = service.tokens.authenticate(&one).await.unwrap();
        service.tokens.logout(&caller, LogoutRequest::One(two.clone())).await.unwrap();
        assert_eq!(fault(service.tokens.authenticate(&two).await), Some(TokenFault::Revoked));
        assert!(service.tokens.authenticate(&three).await.is_ok());
        service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
        assert_eq!(fault(service.tokens.refresh_sliding(&three).await), Some(TokenFault::Revoked));
        service.act("alice", Action::Deactivate).await;
        assert!(matches!(service.tokens.refresh_sliding(&one).await, Err(AuthError::NoActiveAccount)));
        assert!(matches!(service.tokens.authenticate(&one).await, Err(AuthError::UserInactive)));
        service.act("alice", Action::Delete).await;
        assert!(service.tokens.authenticate(&one).await.is_err());
        assert!(matches!(service.tokens.refresh_sliding(&one).await, Err(AuthError::NoActiveAccount)));
    }
}

#[tokio::test]
async fn sliding_tokens_and_refresh_tokens_are_not_interchangeable() {
    let service = service(policy_with_sliding());
    service.register("alice").await;
    let token = raw(&service.try_login_sliding("alice").await.unwrap());
    let pair = service.login("alice").await;
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.refresh_sliding(&refresh_of(&pair)).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.authenticate(&refresh_of(&pair)).await), Some(TokenFault::WrongKind));
}
