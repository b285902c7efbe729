//! Interoperability: the service accepts tokens of PyJWT, and another library reads the service's tokens.

use auth_tests::cases::Once;
use auth_tests::server::SIGNING_KEY;
use auth_tests::{Database, ServerOptions, TestClient, TestServer, TokenPair, cases};
use jwtk::HeaderAndClaims;
use jwtk::hmac::{HmacAlgorithm, HmacKey};
use jwtk::jwk::JwkSet;
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};

use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![Once =>
        accepts_tokens_of_pyjwt,
        another_library_reads_the_tokens,
        a_generated_key_verifies_with_the_published_keys,
    ]
}

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/auth-crypto/tests/vectors/keys/");

fn start(database: &Database, algorithm: &str, key: Option<&str>) -> (TestServer, TestClient) {
    let options = database.server("simplejwt").env("AUTH__TOKENS__ALGORITHM", algorithm);
    let options = match key {
        Some(key) => options
            .without("AUTH__TOKENS__SIGNING_KEY")
            .env("AUTH__TOKENS__SIGNING_KEY_FILE", &format!("{KEYS}{key}.pem")),
        None => options,
    };
    let server = options.start(SERVER);
    let api = server.client();
    (server, api)
}

/// Registers `alice`, who gets the user ID 1, as in the tokens of PyJWT.
async fn alice(api: &TestClient) -> TokenPair {
    api.register_and_login("alice").await
}

async fn accepts_tokens_of_pyjwt() {
    let tokens: Value = serde_json::from_str(include_str!("../data/pyjwt.json")).unwrap();
    for (algorithm, key) in [("HS256", None), ("RS256", Some("rsa2048"))] {
        let database = Database::sqlite();
        let (_server, api) = start(&database, algorithm, key);
        alice(&api).await;
        // The account must be older than the recorded tokens, or they would be refused.
        database.execute("UPDATE users SET date_joined = 0");
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
            let pair = TokenPair::of(&api.refresh(&of(name)).await);
            assert_eq!(api.me(&pair.access).await.status, 200, "{algorithm} {name}");
            // An adopted token can be used once, like any other.
            assert_eq!(api.refresh(&of(name)).await.status, 401, "{algorithm} {name}");
            assert_eq!(api.refresh(&pair.refresh).await.status, 200, "{algorithm} {name}");
        }
        // Tokens signed with another key are refused.
        let other = if algorithm == "HS256" { "RS256" } else { "HS256" };
        assert_eq!(api.me(tokens[other]["access"].as_str().unwrap()).await.status, 401);
    }
}

/// Verifies a token with another library, with the published keys or the shared secret.
async fn read(api: &TestClient, token: &str, is_shared: bool) -> HeaderAndClaims<Map<String, Value>> {
    let read = if is_shared {
        jwtk::verify(token, &HmacKey::from_bytes(SIGNING_KEY.as_bytes(), HmacAlgorithm::HS256))
    } else {
        let keys = api.get("/.well-known/jwks.json").await.text;
        serde_json::from_str::<JwkSet>(&keys).expect("a JWK set").verifier().verify(token)
    };
    read.expect("a valid token")
}

async fn another_library_reads_the_tokens() {
    for (algorithm, key) in [
        ("HS256", None),
        ("RS256", Some("rsa2048")),
        ("RS384", Some("rsa2048")),
        ("PS256", Some("rsa2048")),
        ("ES256", Some("p256")),
        ("ES384", Some("p384")),
        ("EdDSA", Some("ed25519")),
    ] {
        let database = Database::sqlite();
        let (_server, api) = start(&database, algorithm, key);
        let pair = alice(&api).await;
        for (token, kind) in [(&pair.access, "access"), (&pair.refresh, "refresh")] {
            let token = read(&api, token, key.is_none()).await;
            let (header, claims) = (token.header(), token.claims());
            assert_eq!((header.alg.as_ref(), header.kid.is_some()), (algorithm, key.is_some()));
            assert_eq!((&claims.extra["token_type"], &claims.extra["user_id"]), (&json!(kind), &json!("1")));
            assert!(claims.exp.is_some() && claims.iat.is_some() && claims.jti.is_some(), "{algorithm} {kind}");
        }
    }
}

/// The service generates its key.
async fn a_generated_key_verifies_with_the_published_keys() {
    let server = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").start(SERVER);
    let api = server.client();
    let pair = alice(&api).await;
    let token = read(&api, &pair.access, false).await;
    assert_eq!(token.claims().extra["token_type"], "access");
}
