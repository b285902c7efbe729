//! Signing and verifying tokens.

use std::error::Error;

use async_trait::async_trait;

use crate::error::AuthError;
use crate::token::{Payload, RawToken, TokenFault};

/// Why a token could not be signed: a fault of the key or of the cryptographic library.
pub type SignError = Box<dyn Error + Send + Sync>;

/// Why a signature was not accepted.
#[derive(Debug)]
pub enum VerifyError {
    /// No verifying key accepts it.
    NotOurs,
    /// The keys of another issuer, which may accept it, are unavailable. The same token may be accepted later.
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

/// A token with a valid signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// Its payload.
    pub payload: Payload,
    /// Whether a key of this deployment signed it, its own or a shared one, and not a key that another issuer
    /// published. Only such a token can belong to a session or be adopted.
    pub is_own: bool,
}

/// Signs tokens and verifies signatures. It checks no claims.
#[async_trait]
pub trait TokenSigner: Send + Sync {
    /// Signs a payload with the signing key, as a compact JWS (RFC 7515 §7.1).
    fn sign(&self, payload: &Payload) -> Result<String, SignError>;

    /// Verifies the signature of a token. The algorithm is that of the key, and never read from the token (RFC 8725
    /// §2.1, §3.1). Asynchronous, because it may fetch the keys of another issuer.
    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError>;
}
