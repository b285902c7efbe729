//! Signatures.

use std::error::Error;

use async_trait::async_trait;

use crate::error::AuthError;
use crate::token::{Payload, RawToken, TokenFault};

/// Why a token could not be signed: a fault of the key or its library.
pub type SignError = Box<dyn Error + Send + Sync>;

/// Why a signature was not recognised.
#[derive(Debug)]
pub enum VerifyError {
    /// None of the keys made it.
    NotOurs,
    /// The keys that may have made it cannot be had: those of another issuer, which does not answer. The same token
    /// may be recognised in a moment.
    KeysUnavailable(SignError),
}

impl From<VerifyError> for AuthError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::NotOurs => TokenFault::NotOurs.into(),
            VerifyError::KeysUnavailable(source) => Self::Unavailable(source),
        }
    }
}

/// A token whose signature holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// What it says.
    pub payload: Payload,
    /// Whether a key of this installation made it, its own or one it shares; not one that another issuer published.
    /// Only such a token can belong to a session here, or become one.
    pub is_own: bool,
}

/// Writes and recognises signatures. What a token says, and whether its time has come, is none of its business.
#[async_trait]
pub trait TokenSigner: Send + Sync {
    /// A compact JWS of the payload (RFC 7515 §7.1), by the one signing key.
    fn sign(&self, payload: &Payload) -> Result<String, SignError>;

    /// What a token says that one of the keys signed. The algorithm is fixed by the key and never read from the
    /// token (RFC 8725 §2.1, §3.1). Asynchronous, because keys of another issuer may have to be fetched first.
    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError>;
}
