//! Tokens of both sides: what PyJWT wrote is accepted here, and what is written here another library reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set its stage has failed"
)]

#[path = "support/mod.rs"]
mod support;

use auth_tests::server::{SIGNING_KEY, Server, ServerOptions};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use biscuit::jwa::SignatureAlgorithm;
use biscuit::jwk::JWKSet;
use biscuit::jws::Secret;
use biscuit::{Empty, JWT, ValidationOptions};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use support::{Api, BINARY, Pair};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/auth-crypto/tests/vectors/keys/");

fn start(algorithm: &str, key: Option<&str>) -> (Server, Api) {
    let options = ServerOptions::new("simplejwt", None).env("AUTH__TOKENS__ALGORITHM", algorithm);
    let options = match key {
        Some(key) => options
            .without("AUTH__TOKENS__SIGNING_KEY")
            .env("AUTH__TOKENS__SIGNING_KEY_FILE", &format!("{KEYS}{key}.pem")),
        None => options,
    };
    let server = options.start(BINARY);
    let api = Api::new(&server.url());
    (server, api)
}

/// `alice`, who has the number 1, as the tokens of PyJWT name her.
async fn alice(api: &Api) -> Pair {
    api.newcomer("alice").await
}

#[tokio::test]
async fn tokens_of_pyjwt_are_accepted() {
    let tokens: Value = serde_json::from_str(include_str!("data/pyjwt.json")).unwrap();
    for (algorithm, key) in [("HS256", None), ("RS256", Some("rsa2048"))] {
        let (_server, api) = start(algorithm, key);
        alice(&api).await;
        let of = |name: &str| tokens[algorithm][name].as_str().expect(name).to_owned();
        for name in ["access", "access_user_id_number", "access_without_iat", "access_float_exp"] {
            let answer = api.me(&of(name)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.field("username")),
                (200, "alice".to_owned()),
                "{algorithm} {name}"
            );
            let verified = api.post("/api/token/verify/", None, json!({"token": of(name)})).await;
            assert_eq!(verified.status, 200, "{algorithm} {name}: {}", verified.text);
        }
        for name in ["refresh", "refresh_custom"] {
            let pair = Pair::of(&api.refresh(&of(name)).await);
            assert_eq!(api.me(&pair.access).await.status, 200, "{algorithm} {name}");
            // It is spent as one of ours.
            assert_eq!(api.refresh(&of(name)).await.status, 401, "{algorithm} {name}");
            assert_eq!(api.refresh(&pair.refresh).await.status, 200, "{algorithm} {name}");
        }
        // Those of another key are not.
        let other = if algorithm == "HS256" { "RS256" } else { "HS256" };
        assert_eq!(api.me(tokens[other]["access"].as_str().unwrap()).await.status, 401);
    }
}

/// What another library reads in a token, with the keys as the service publishes them, or with the shared secret.
async fn read(api: &Api, token: &str, algorithm: SignatureAlgorithm) -> (Value, Option<String>) {
    let token = JWT::<Value, Empty>::new_encoded(token);
    let token = if algorithm == SignatureAlgorithm::HS256 {
        token.decode(&Secret::bytes_from_str(SIGNING_KEY), algorithm)
    } else {
        let keys = api.get("/.well-known/jwks.json").await.text;
        let keys: JWKSet<Empty> = serde_json::from_str(&keys).expect("a JWK set");
        token.decode_with_jwks(&keys, Some(algorithm))
    };
    let token = token.unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
    token.validate(ValidationOptions::default()).expect("it is within its time");
    let (header, claims) = token.unwrap_decoded();
    let registered = claims.registered;
    assert!(registered.expiry.is_some() && registered.issued_at.is_some() && registered.id.is_some());
    (claims.private, header.registered.key_id)
}

#[tokio::test]
async fn tokens_of_ours_are_read_by_another_library() {
    for (name, algorithm, key) in [
        ("HS256", SignatureAlgorithm::HS256, None),
        ("RS256", SignatureAlgorithm::RS256, Some("rsa2048")),
        ("RS384", SignatureAlgorithm::RS384, Some("rsa2048")),
        ("PS256", SignatureAlgorithm::PS256, Some("rsa2048")),
        ("ES256", SignatureAlgorithm::ES256, Some("p256")),
        ("ES384", SignatureAlgorithm::ES384, Some("p384")),
    ] {
        let (_server, api) = start(name, key);
        let pair = alice(&api).await;
        for (token, kind) in [(&pair.access, "access"), (&pair.refresh, "refresh")] {
            let (claims, key_id) = read(&api, token, algorithm).await;
            assert_eq!((&claims["token_type"], &claims["user_id"]), (&json!(kind), &json!("1")), "{name}");
            assert_eq!(key_id.is_some(), key.is_some(), "{name}");
        }
    }
}

/// The other library has no EdDSA, which the service signs with if nothing is configured. Read by hand (RFC 8037 §3.1).
#[tokio::test]
async fn a_key_that_the_service_made_is_published_with_its_tokens() {
    let server = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").start(BINARY);
    let api = Api::new(&server.url());
    let pair = alice(&api).await;
    let key = api.get("/.well-known/jwks.json").await.json()["keys"][0].clone();
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    for token in [&pair.access, &pair.refresh] {
        let (message, signature) = token.rsplit_once('.').unwrap();
        assert!(public.verify(message.as_bytes(), &decode(signature)).is_ok());
        let header: Value = serde_json::from_slice(&decode(message.split('.').next().unwrap())).unwrap();
        assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &json!("EdDSA")));
    }
}
