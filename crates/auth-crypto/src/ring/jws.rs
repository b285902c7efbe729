//! A compact JWS (RFC 7515 §7.1), taken apart. Nothing in it is trusted until a key has made it.

use std::str::FromStr;

use auth_core::token::Payload;

use crate::key::{Algorithm, VerifyingKey, from_base64url};
use crate::ring::header::Header;

/// A token with a header that is acceptable with some key, and base64url that is strict everywhere.
pub(crate) struct Jws<'a> {
    header: Header,
    /// What is signed: header and payload as they arrived.
    message: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart (RFC 7515 §5.2, steps 1 to 7); `None` if no key can make it good.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        Some(Self {
            header: Header::parse(&from_base64url(header)?)?,
            message,
            signature: from_base64url(signature)?,
            payload: from_base64url(payload)?,
        })
    }

    /// The key that it claims to be made with.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The algorithm that it claims; `None` if it is not on offer.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_str(&self.header.alg).ok()
    }

    /// Whether this key made it, with its one algorithm.
    pub(crate) fn is_by(&self, key: &VerifyingKey) -> bool {
        self.header.alg == key.algorithm().name() && key.verifies(self.message.as_bytes(), &self.signature)
    }

    /// The payload as JSON; `None` if it is no object. A claim that occurs twice has its last value (RFC 7519 §4).
    pub(crate) fn claims(&self) -> Option<Payload> {
        serde_json::from_slice(&self.payload).ok()
    }

    /// The payload, whatever it is.
    #[cfg(test)]
    pub(crate) fn into_payload(self) -> Vec<u8> {
        self.payload
    }
}
