//! The example over HTTP: tokens signed with one key open its routes, others do not.
#![allow(clippy::unwrap_used, reason = "a test whose fixture cannot be set up has failed")]

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::ports::{Clock, TokenSigner};
use auth_crypto::{
    KeyRing, KeySource, RemoteKeyRing, RemoteOptions, RingOptions, SigningKey, SystemClock, VerifyingKey,
    generate_ed25519_pem,
};
use axum_guard::router;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The issuer's keys, with a private key.
fn issuer() -> KeyRing {
    let key = SigningKey::from_pem(None, &generate_ed25519_pem().unwrap()).unwrap();
    KeyRing::new(key, Vec::new(), RingOptions::default()).unwrap()
}

fn token(issuer: &KeyRing, changes: Value) -> String {
    let now = SystemClock.now().seconds();
    let mut claims = json!({"token_type": "access", "exp": now + 60, "jti": "a", "user_id": "3", "role": "user"});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    issuer.sign(claims.as_object().unwrap()).unwrap()
}

#[tokio::test]
async fn routes_require_a_valid_token_and_the_report_requires_staff() {
    let (ours, theirs) = (issuer(), issuer());
    let key = VerifyingKey::from_jwk(None, &ours.jwks()["keys"][0]).unwrap();
    let verifier = axum_guard::verifier_of(key).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router(verifier)).into_future());

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, token, expected) in [
        ("/hello", None, 401),
        ("/hello", Some("abc".to_owned()), 401),
        ("/hello", Some(token(&theirs, json!({}))), 401),
        ("/hello", Some(token(&ours, json!({"token_type": "refresh"}))), 401),
        ("/hello", Some(token(&ours, json!({"exp": 1}))), 401),
        ("/hello", Some(token(&ours, json!({"user_id": null}))), 401),
        ("/hello", Some(token(&ours, json!({}))), 200),
        ("/report", None, 401),
        ("/report", Some(token(&ours, json!({}))), 403),
        ("/report", Some(token(&ours, json!({"role": "admin"}))), 200),
        ("/report", Some(token(&theirs, json!({"role": "admin"}))), 401),
    ] {
        let mut request = client.get(format!("{url}{path}"));
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{path} {token:?}");
        if answer.status() == StatusCode::UNAUTHORIZED {
            assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"api\"");
        }
    }
    let answer = client.get(format!("{url}/hello")).bearer_auth(token(&ours, json!({}))).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"message": "Hello, user 3!"}));
}

/// The keys of an unreachable issuer.
struct Unreachable;

#[async_trait]
impl KeySource for Unreachable {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Err("connection refused".into())
    }
}

#[tokio::test]
async fn unreachable_keys_are_answered_with_503_and_retry_after() {
    let ring = RemoteKeyRing::new(issuer(), Box::new(Unreachable), RemoteOptions::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hello", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router(axum_guard::verifier_with(Arc::new(ring)))).into_future());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(token(&issuer(), json!({}))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
}

/// Runs the program as its README does.
#[tokio::test]
async fn the_program_reads_the_public_key_from_a_file() {
    const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/auth-crypto/tests/vectors/keys");
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_axum-guard"))
        .args([format!("{KEYS}/ed25519.pub.pem"), "127.0.0.1:0".to_owned()])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let url = line.strip_prefix("Listening on  ").unwrap();
    let key = SigningKey::from_pem(None, &std::fs::read_to_string(format!("{KEYS}/ed25519.pem")).unwrap()).unwrap();
    let issuer = KeyRing::new(key, Vec::new(), RingOptions::default()).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{url}/hello")).bearer_auth(token(&issuer, json!({}))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(client.get(format!("{url}/hello")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
