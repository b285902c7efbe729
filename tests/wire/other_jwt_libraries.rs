//! Tokens of both sides: what PyJWT wrote is accepted here, and what is written here another library reads.

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
        tokens_of_pyjwt_are_accepted,
        tokens_of_ours_are_read_by_another_library,
        a_client_that_knows_only_the_published_keys_reads_tokens,
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

/// `alice`, who has the number 1, as the tokens of PyJWT name her.
async fn alice(api: &TestClient) -> TokenPair {
    api.newcomer("alice").await
}

async fn tokens_of_pyjwt_are_accepted() {
    let tokens: Value = serde_json::from_str(include_str!("../data/pyjwt.json")).unwrap();
    for (algorithm, key) in [("HS256", None), ("RS256", Some("rsa2048"))] {
        let database = Database::sqlite();
        let (_server, api) = start(&database, algorithm, key);
        alice(&api).await;
        // The account is older than the recorded tokens; else they would be those of another one.
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
async fn read(api: &TestClient, token: &str, is_shared: bool) -> HeaderAndClaims<Map<String, Value>> {
    let read = if is_shared {
        jwtk::verify(token, &HmacKey::from_bytes(SIGNING_KEY.as_bytes(), HmacAlgorithm::HS256))
    } else {
        let keys = api.get("/.well-known/jwks.json").await.text;
        serde_json::from_str::<JwkSet>(&keys).expect("a JWK set").verifier().verify(token)
    };
    read.expect("a good token")
}

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

/// Also with the key that it makes itself.
async fn a_client_that_knows_only_the_published_keys_reads_tokens() {
    let server = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").start(SERVER);
    let api = server.client();
    let pair = alice(&api).await;
    let token = read(&api, &pair.access, false).await;
    assert_eq!(token.claims().extra["token_type"], "access");
}
