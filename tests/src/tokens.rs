//! Reads and forges tokens without the code under test.
#![expect(clippy::expect_used, reason = "a malformed token fails the test")]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Returns the claims of a token, without checking its signature.
pub fn claims_of(token: &str) -> Value {
    part(token, 1)
}

/// Returns the header of a token, without checking its signature.
pub fn header_of(token: &str) -> Value {
    part(token, 0)
}

/// Returns the session ID in the claims of a token.
pub fn session_id_of(token: &str) -> String {
    claims_of(token)["sid"].as_str().expect("a session ID").to_owned()
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// Returns a token with the usual header, signed with a shared secret (HS256).
pub fn sign(claims: &Value, secret: &str) -> String {
    sign_hs256(&json!({"alg": "HS256", "typ": "JWT"}), claims, secret.as_bytes())
}

/// Returns a token with any header, signed with HMAC-SHA-256.
pub fn sign_hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
