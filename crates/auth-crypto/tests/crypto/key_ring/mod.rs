//! The key ring through its port: the tokens that it signs, and those that it accepts.

mod forgeries;
mod jwk_set;
mod key_ids;
mod signing;

use auth_core::ports::TokenSigner as _;
use auth_core::token::TokenFault;
use auth_crypto::{Algorithm, KeyError, KeyRing, RingOptions, SigningKey, VerifyingKey};
use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fixture::*;

const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

/// Returns a token with this header and a valid signature of the HS256 ring.
fn with_header(header: &str) -> String {
    hmac_token(HMAC_SHA256, SECRET.as_bytes(), header.as_bytes(), br#"{"user_id":"7"}"#)
}

/// Returns a token with this payload and a valid signature of the HS256 ring.
fn with_payload(payload: &[u8]) -> String {
    hmac_token(HMAC_SHA256, SECRET.as_bytes(), HEADER, payload)
}
