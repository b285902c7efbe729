//! Parsing of a token in the JWS Compact Serialization (RFC 7515 §7.1).

use std::str::FromStr;

use auth_core::token::Payload;

use crate::key::{Algorithm, VerifyingKey, from_base64url};
use crate::ring::header::Header;

/// A parsed token. Not trusted until its signature is verified.
pub(crate) struct Jws<'a> {
    header: Header,
    /// The signing input: encoded header, `.` and encoded payload.
    message: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Parses a token (RFC 7515 §5.2, steps 1 to 7). Returns `None` if it must be rejected whatever the key: a part is
    /// missing, is not strict base64url, or the header is not acceptable.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        Some(Self {
            header: Header::parse(&from_base64url(header)?)?,
            message,
            signature: from_base64url(signature)?,
            payload: from_base64url(payload)?,
        })
    }

    /// Returns the key ID in the header.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Returns the algorithm in the header, or `None` if it is not supported.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_str(&self.header.alg).ok()
    }

    /// Returns whether `key` signed the token. The header must have the algorithm of the key (RFC 8725 §3.1).
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        self.header.alg == key.algorithm().name() && key.verifies(self.message.as_bytes(), &self.signature)
    }

    /// Returns the claims, or `None` if the payload is not a JSON object. Of duplicate claims the last one counts (RFC
    /// 7519 §4).
    pub(crate) fn claims(&self) -> Option<Payload> {
        serde_json::from_slice(&self.payload).ok()
    }

    /// Returns the payload, which need not be JSON.
    #[cfg(test)]
    pub(crate) fn into_payload(self) -> Vec<u8> {
        self.payload
    }
}
