//! Tokens of another issuer with trusted keys, which only guarded routes accept.

use std::sync::Arc;

use async_trait::async_trait;
use auth_accounts::service::Ports;
use auth_conformance::PlainSigner;
use auth_core::ports::{Recognised, SignError, TokenSigner, VerifyError};
use auth_core::service::TokenPolicy;
use auth_core::token::{Payload, RawToken, TokenFault};
use serde_json::{Value, json};

use crate::fixture::*;

/// Signs with its own key, and trusts the key of another issuer.
struct TwoIssuers {
    own: PlainSigner,
    other: PlainSigner,
}

#[async_trait]
impl TokenSigner for TwoIssuers {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        self.own.sign(payload)
    }

    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError> {
        match (self.own.open(token), self.other.open(token)) {
            (Some(payload), _) => Ok(Recognised { payload, is_own: true }),
            (None, Some(payload)) => Ok(Recognised { payload, is_own: false }),
            (None, None) => Err(VerifyError::NotOurs),
        }
    }
}

const OTHER: PlainSigner = PlainSigner::new(2);

fn trusting(policy: TokenPolicy) -> TestService {
    let signer = Arc::new(TwoIssuers { own: PlainSigner::default(), other: OTHER });
    TestService::builder().policy(policy).ports(|ports| Ports { signer, ..ports }).build()
}

fn token_of_other(service: &TestService, changes: Value) -> RawToken {
    let mut claims = json!({"token_type": "access", "exp": service.now().seconds() + 60, "iat": service.now().seconds(), "jti": "a", "user_id": "1"});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    RawToken::parse(&OTHER.sign(claims.as_object().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn guarded_routes_accept_tokens_of_another_issuer_with_any_session_claim() {
    let service = trusting(policy());
    service.register("alice").await;
    let own = service.login("alice").await;
    let own_session = service.claims(&access_of(&own))["sid"].clone();
    for sid in [
        json!("08a5019c-17e1-4977-8f42-65a12843ea02"),
        json!("08a5019c17e149778f4265a12843ea02"),
        json!(7),
        own_session,
    ] {
        let caller =
            service.tokens.authenticate(&token_of_other(&service, json!({"sid": sid, "gen": "x"}))).await.unwrap();
        assert_eq!((caller.user.username.as_str(), caller.session), ("alice", None), "{sid}");
    }
}

#[tokio::test]
async fn tokens_of_another_issuer_are_never_adopted() {
    for policy in [policy(), simplejwt_policy()] {
        let service = trusting(policy);
        service.register("alice").await;
        let own = service.login("alice").await;
        let claims = service.claims(&refresh_of(&own));
        for changes in [json!({"jti": "e430b0ef5c2a40d3a7c2fa027bd9afc1"}), Value::Object(claims)] {
            let mut changes = changes;
            changes["token_type"] = "refresh".into();
            let token = token_of_other(&service, changes);
            assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::UnknownSession));
            assert!(service.tokens.blacklist(&token).await.is_err());
        }
        assert_eq!(service.store.sessions().len(), 1);
        assert!(service.try_refresh(&own).await.is_ok());
    }
}

#[tokio::test]
async fn a_logout_of_all_sessions_revokes_tokens_of_another_issuer() {
    let service = trusting(policy());
    service.register("alice").await;
    let (token, own) = (token_of_other(&service, json!({})), service.login("alice").await);
    let caller = service.tokens.authenticate(&access_of(&own)).await.unwrap();
    assert!(service.tokens.authenticate(&token).await.is_ok());
    service.tokens.logout(&caller, auth_core::service::LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.tokens.authenticate(&token).await), Some(TokenFault::Revoked));
}
