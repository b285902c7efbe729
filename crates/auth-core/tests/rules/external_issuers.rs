//! Tokens of another issuer, whose keys are trusted: they open guarded routes, and nothing more.

use std::sync::Arc;

use crate::fixture::*;
use async_trait::async_trait;
use auth_conformance::PlainSigner;
use auth_core::AuthError;
use auth_core::ports::{Recognised, SignError, TokenSigner, VerifyError};
use auth_core::service::{Ports, TokenPolicy, TokenService};
use auth_core::token::{Payload, RawToken, TokenFault};
use serde_json::{Value, json};

/// Signs as one, and knows the other one.
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

fn trusting(policy: TokenPolicy) -> World {
    let mut world = world(policy.clone());
    let signer = Arc::new(TwoIssuers { own: world.signer.clone(), other: OTHER });
    world.tokens = TokenService::new(Ports { signer, ..world.tokens.ports().clone() }, policy);
    world
}

fn token_of_other(world: &World, changes: Value) -> RawToken {
    let mut claims =
        json!({"token_type": "access", "exp": world.now() + 60, "iat": world.now(), "jti": "a", "user_id": "1"});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    RawToken::parse(&OTHER.sign(claims.as_object().unwrap()).unwrap()).unwrap()
}

fn fault<T>(outcome: Result<T, AuthError>) -> Option<TokenFault> {
    match outcome {
        Err(AuthError::Token(fault)) => Some(fault),
        _ => None,
    }
}

#[tokio::test]
async fn open_guarded_routes_whatever_they_call_their_session() {
    let world = trusting(policy());
    world.register("alice").await.unwrap();
    let ours = world.login("alice").await;
    let own_session = world.claims(&access_of(&ours))["sid"].clone();
    for sid in [
        json!("08a5019c-17e1-4977-8f42-65a12843ea02"),
        json!("08a5019c17e149778f4265a12843ea02"),
        json!(7),
        own_session,
    ] {
        let caller = world.tokens.authenticate(&token_of_other(&world, json!({"sid": sid, "gen": "x"}))).await.unwrap();
        assert_eq!((caller.user.username.as_str(), caller.session), ("alice", None), "{sid}");
    }
}

#[tokio::test]
async fn never_become_tokens_of_ours() {
    for policy in [policy(), simplejwt_policy()] {
        let world = trusting(policy);
        world.register("alice").await.unwrap();
        let ours = world.login("alice").await;
        let claims = world.claims(&refresh_of(&ours));
        for changes in [json!({"jti": "e430b0ef5c2a40d3a7c2fa027bd9afc1"}), Value::Object(claims)] {
            let mut changes = changes;
            changes["token_type"] = "refresh".into();
            let token = token_of_other(&world, changes);
            assert_eq!(fault(world.tokens.refresh(&token).await), Some(TokenFault::UnknownSession));
            assert!(world.tokens.blacklist(&token).await.is_err());
        }
        assert_eq!(world.store.sessions().len(), 1);
        assert!(world.refresh(&ours).await.is_ok());
    }
}

#[tokio::test]
async fn die_with_whatever_ends_all_logins_of_their_user() {
    let world = trusting(policy());
    world.register("alice").await.unwrap();
    let (token, ours) = (token_of_other(&world, json!({})), world.login("alice").await);
    let caller = world.tokens.authenticate(&access_of(&ours)).await.unwrap();
    assert!(world.tokens.authenticate(&token).await.is_ok());
    world.tokens.logout(&caller, auth_core::service::LogoutRequest::All).await.unwrap();
    assert_eq!(fault(world.tokens.authenticate(&token).await), Some(TokenFault::Revoked));
}
