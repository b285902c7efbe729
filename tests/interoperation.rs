//! Tokens of both sides: what PyJWT wrote is accepted here, and what is written here another library reads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

#[path = "support/mod.rs"]
mod support;

use auth_tests::server::{SIGNING_KEY, Server, ServerOptions};
use josekit::jwk::Jwk;
use josekit::jws::{ES256, ES384, EdDSA, HS256, JwsVerifier, PS256, RS256, RS384};
use josekit::jwt;
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

/// With the key as the service publishes it, or the shared secret.
async fn verifier(algorithm: &str, api: &Api) -> Box<dyn JwsVerifier> {
    let keys = api.get("/.well-known/jwks.json").await.json();
    let key = keys["keys"][0].as_object().cloned().map(|key| Jwk::from_map(key).unwrap());
    let key = || key.clone().unwrap();
    match algorithm {
        "HS256" => Box::new(HS256.verifier_from_bytes(SIGNING_KEY).unwrap()),
        "RS256" => Box::new(RS256.verifier_from_jwk(&key()).unwrap()),
        "RS384" => Box::new(RS384.verifier_from_jwk(&key()).unwrap()),
        "PS256" => Box::new(PS256.verifier_from_jwk(&key()).unwrap()),
        "ES256" => Box::new(ES256.verifier_from_jwk(&key()).unwrap()),
        "ES384" => Box::new(ES384.verifier_from_jwk(&key()).unwrap()),
        _ => Box::new(EdDSA.verifier_from_jwk(&key()).unwrap()),
    }
}

#[tokio::test]
async fn tokens_of_ours_are_read_by_another_library() {
    for (algorithm, key) in [
        ("HS256", None),
        ("RS256", Some("rsa2048")),
        ("RS384", Some("rsa2048")),
        ("PS256", Some("rsa2048")),
        ("ES256", Some("p256")),
        ("ES384", Some("p384")),
        ("EdDSA", Some("ed25519")),
    ] {
        let (_server, api) = start(algorithm, key);
        let (pair, verifier) = (alice(&api).await, verifier(algorithm, &api).await);
        for (token, kind) in [(&pair.access, "access"), (&pair.refresh, "refresh")] {
            let (payload, header) = jwt::decode_with_verifier(token, verifier.as_ref())
                .unwrap_or_else(|error| panic!("{algorithm} {kind}: {error}"));
            assert_eq!(header.claim("alg"), Some(&json!(algorithm)));
            assert_eq!(payload.claim("token_type"), Some(&json!(kind)), "{algorithm}");
            assert_eq!(payload.claim("user_id"), Some(&json!("1")), "{algorithm}");
            assert!(payload.expires_at().is_some() && payload.jwt_id().is_some(), "{algorithm} {kind}");
        }
    }
}

/// A key that the service made itself is published like any other.
#[tokio::test]
async fn a_client_that_knows_only_the_published_keys_reads_tokens() {
    let server = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").start(BINARY);
    let api = Api::new(&server.url());
    let pair = alice(&api).await;
    let verifier = verifier("EdDSA", &api).await;
    let (payload, header) = jwt::decode_with_verifier(&pair.access, verifier.as_ref()).unwrap();
    assert!(header.claim("kid").is_some());
    assert_eq!(payload.claim("token_type"), Some(&json!("access")));
}
