//! Selection of the key that verifies a token.

use auth_core::ports::TokenSigner as _;
use auth_core::token::Payload;
use auth_crypto::{Algorithm, KeyRing, SigningKey};
use aws_lc_rs::hmac::HMAC_SHA256;
use serde_json::json;
use tokio::time::advance;

use super::source::*;
use super::{SECOND, settle};
use crate::fixture::{self, ED25519, P256, base64url, hmac_token, part, payload, ring, signing_key};

#[tokio::test(start_paused = true)]
async fn an_invalid_signature_with_a_known_kid_causes_no_fetch() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    advance(60 * SECOND).await;
    let key = SigningKey::from_pem(None, P256).unwrap().with_kid("a").unwrap();
    // Forged; signed with another key with the same key ID; and with another key and algorithm.
    for token in [forged(&other), token(&issuer("a")), token(&fixture::ring(key))] {
        assert_eq!(verify(&ring, &token).await, Outcome::NotOurs);
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_known_kid_selects_that_key_only() {
    let (ring, source) = remote_ring();
    let pem = generate();
    let with_kid = |kid: &str| fixture::ring(SigningKey::from_pem(None, &pem).unwrap().with_kid(kid).unwrap());
    source.publish(&[&issuer("a"), &with_kid("b")]);
    assert_eq!(verify(&ring, &token(&with_kid("b"))).await, accepted());
    assert_eq!(verify(&ring, &token(&with_kid("a"))).await, Outcome::NotOurs, "signed with b, kid of a");
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&with_kid("c"))).await, Outcome::NotOurs, "signed with b, unknown kid");
}

fn generate() -> String {
    auth_crypto::generate_ed25519_pem().unwrap().to_string()
}

/// Returns a token signed with this key, without a `kid`.
fn without_kid(key: &SigningKey, pem: &str) -> String {
    use aws_lc_rs::signature::Ed25519KeyPair;
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    let der = pem::parse(pem).unwrap().into_contents();
    let pair = Ed25519KeyPair::from_pkcs8(&der).unwrap();
    let message = format!("{}.{}", base64url(r#"{"alg":"EdDSA"}"#), base64url(json!(payload()).to_string()));
    format!("{message}.{}", base64url(pair.sign(message.as_bytes())))
}

#[tokio::test(start_paused = true)]
async fn a_token_without_kid_is_verified_with_all_keys_and_fetched_by_age_only() {
    let (ring, source) = remote_ring();
    let pem = generate();
    let key = SigningKey::from_pem(None, &pem).unwrap();
    let (valid, unknown) =
        (without_kid(&key, &pem), without_kid(&SigningKey::from_pem(None, ED25519).unwrap(), ED25519));
    let es256 = fixture::ring(SigningKey::from_pem(None, P256).unwrap());
    source.publish(&[&issuer("a"), &es256, &fixture::ring(key)]);
    assert_eq!((verify(&ring, &valid).await, source.fetches()), (accepted(), 1));
    advance(299 * SECOND).await;
    assert_eq!((verify(&ring, &unknown).await, source.fetches()), (Outcome::NotOurs, 1));
    advance(2 * SECOND).await;
    assert_eq!(verify(&ring, &unknown).await, Outcome::NotOurs);
    settle().await;
    assert_eq!(source.fetches(), 2);
    source.set(Response::Failure);
    advance(3601 * SECOND).await;
    assert_eq!(verify(&ring, &valid).await, unavailable("Fetch"));
}

/// CVE-2015-9235: the public key used as a shared secret.
#[tokio::test(start_paused = true)]
async fn a_symmetric_algorithm_is_never_verified_with_remote_keys() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    let jwk = other.jwks()["keys"][0].clone();
    let secret = json!({"kty": "oct", "k": base64url(fixture::OTHER_SECRET), "alg": "HS256", "kid": "s"});
    source.set(Response::Body(json!({"keys": [secret, jwk]}).to_string().into_bytes()));
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    let x = part(&format!("{}.", base64url(jwk.to_string())), 0)["x"].clone();
    for (secret, kid) in [(fixture::OTHER_SECRET, "s"), (x.as_str().unwrap(), "a")] {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        let token = hmac_token(HMAC_SHA256, secret.as_bytes(), header.as_bytes(), b"{}");
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token).await, Outcome::NotOurs, "{kid}");
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn both_issuers_may_use_the_same_key_id() {
    let own = || SigningKey::from_pem(None, ED25519).unwrap().with_kid("1").unwrap();
    let (ring, source) = remote_ring_of(ring(own()), options());
    let other = issuer("1");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, accepted());
    // The key ID is known as that of an own key, so only the age of the keys causes a fetch.
    source.publish(&[&issuer("2")]);
    advance(301 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    settle().await;
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, Outcome::NotOurs);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_without_keys_verifies_every_asymmetric_algorithm() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let (reader, source) = remote_ring_of(KeyRing::verifying(Vec::new()).unwrap(), options());
        let other = ring(signing_key(algorithm));
        source.publish(&[&other]);
        assert_eq!(verify(&reader, &token(&other)).await, accepted(), "{algorithm}");
        assert_eq!(verify(&reader, &forged(&other)).await, Outcome::NotOurs, "{algorithm}");
        assert!(reader.sign(&Payload::new()).is_err());
        assert_eq!(reader.own().algorithm(), None);
    }
}
