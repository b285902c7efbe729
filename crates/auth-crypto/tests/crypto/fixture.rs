//! Keys for tests, and forged tokens.

use auth_core::token::{Payload, RawToken, TokenFault};
use auth_crypto::{Algorithm, KeyRing, RingOptions, SigningKey, VerifyingKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Long enough for every HMAC algorithm.
pub(crate) const SECRET: &str = "an operator made this up, and nobody else knows it: 2026-10-01-7";
pub(crate) const OTHER_SECRET: &str = "another operator made this up, and keeps it well: 2026-10-01-777";

macro_rules! fixtures {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(crate) const $name: &str = include_str!(concat!("../vectors/keys/", $file));)*
    };
}

fixtures! {
    ED25519 = "ed25519.pem",
    ED25519_PUBLIC = "ed25519.pub.pem",
    ED25519_ENCRYPTED = "ed25519-encrypted.pem",
    P256 = "p256.pem",
    P256_PUBLIC = "p256.pub.pem",
    P256_PUBLIC_COMPRESSED = "p256-compressed.pub.pem",
    P256_CERTIFICATE = "p256-certificate.pem",
    P256_SEC1 = "p256-sec1.pem",
    P384 = "p384.pem",
    P384_PUBLIC = "p384.pub.pem",
    P384_SEC1 = "p384-sec1.pem",
    P521 = "p521.pem",
    P521_PUBLIC = "p521.pub.pem",
    RSA1024 = "rsa1024.pem",
    RSA1024_PUBLIC = "rsa1024.pub.pem",
    RSA2048 = "rsa2048.pem",
    RSA2048_PUBLIC = "rsa2048.pub.pem",
    RSA2048_ENCRYPTED = "rsa2048-encrypted.pem",
    RSA2048_PKCS1 = "rsa2048-pkcs1.pem",
    RSA2048_PKCS1_PUBLIC = "rsa2048-pkcs1.pub.pem",
    SECP256K1 = "secp256k1.pem",
    SECP256K1_PUBLIC = "secp256k1.pub.pem",
    X25519 = "x25519.pem",
    X25519_PUBLIC = "x25519.pub.pem",
}

/// Returns the private and the public key for an asymmetric algorithm, in PEM.
pub(crate) fn pair(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm.name() {
        "ES256" => (P256, P256_PUBLIC),
        "ES384" => (P384, P384_PUBLIC),
        "EdDSA" => (ED25519, ED25519_PUBLIC),
        _ => (RSA2048, RSA2048_PUBLIC),
    }
}

pub(crate) fn signing_key(algorithm: Algorithm) -> SigningKey {
    if algorithm.is_symmetric() {
        SigningKey::from_secret(algorithm, SECRET).unwrap()
    } else {
        SigningKey::from_pem(Some(algorithm), pair(algorithm).0).unwrap()
    }
}

pub(crate) fn ring(signing: SigningKey) -> KeyRing {
    ring_with(signing, Vec::new())
}

pub(crate) fn ring_with(signing: SigningKey, verifying: Vec<VerifyingKey>) -> KeyRing {
    KeyRing::new(signing, verifying, RingOptions::default()).unwrap()
}

pub(crate) fn payload() -> Payload {
    json!({"user_id": "7", "exp": 1_300_819_380}).as_object().unwrap().clone()
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a part of a token.
pub(crate) fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// Returns a token with this header and payload and a valid HMAC.
pub(crate) fn hmac_token(algorithm: hmac::Algorithm, secret: &[u8], header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header), base64url(payload));
    let signature = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

/// Parses and verifies a token string, as the service does.
pub(crate) fn verify(ring: &KeyRing, token: &str) -> Result<Payload, TokenFault> {
    RawToken::parse(token).and_then(|token| ring.recognise(&token))
}
