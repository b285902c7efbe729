//! Signatures.

use std::error::Error;

use crate::token::{Payload, RawToken, TokenFault};

/// Why a token could not be signed: a fault of the key or its library.
pub type SignError = Box<dyn Error + Send + Sync>;

/// Writes and recognises signatures. What a token says, and whether its time has come, is none of its business.
pub trait TokenSigner: Send + Sync {
    /// A compact JWS of the payload (RFC 7515 §7.1), by the one signing key.
    fn sign(&self, payload: &Payload) -> Result<String, SignError>;

    /// The payload of a token that one of the keys signed, else [`TokenFault::NotOurs`]. The algorithm is fixed by the
    /// key and never read from the token (RFC 8725 §2.1, §3.1).
    fn verify(&self, token: &RawToken) -> Result<Payload, TokenFault>;
}
