//! The signing key.

use std::fmt;

use auth_core::ports::SignError;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::aws_lc;

use crate::key::pem::Block;
use crate::key::private::PrivateKey;
use crate::key::{Algorithm, KeyError, VerifyingKey};

/// A key that signs tokens: a private key or a shared secret.
///
/// Secret: wiped when dropped; never appears in `Debug` output.
///
/// ```
/// use auth_crypto::{Algorithm, KeyError, SigningKey, generate_ed25519_pem, generate_secret};
/// let key = SigningKey::from_secret(Algorithm::Hs256, &*generate_secret()?)?;
/// assert_eq!(key.kid(), None);
/// let key = SigningKey::from_pem(None, &generate_ed25519_pem()?)?;
/// assert_eq!(key.algorithm(), Algorithm::EdDsa);
/// # Ok::<(), KeyError>(())
/// ```
pub struct SigningKey {
    encoding: EncodingKey,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// Creates a key from a shared secret, for an HMAC algorithm; see [`VerifyingKey::from_secret`].
    ///
    /// # Errors
    /// As for [`VerifyingKey::from_secret`].
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(algorithm, &secret)?;
        Ok(Self { encoding: EncodingKey::from_secret(secret.as_ref()), verifying })
    }

    /// Parses a private key in PEM (`PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, not encrypted). If
    /// `algorithm` is `None`, it follows from the kind of key (Ed25519: EdDSA, P-256: ES256, P-384: ES384, RSA: RS256).
    /// The key ID is the thumbprint of the public key (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] if `pem` is not exactly one private key, or if the key is malformed, unsupported, does not work
    /// with the algorithm, or is an RSA key that does not have 2,048 to 8,192 bits.
    pub fn from_pem(algorithm: Option<Algorithm>, pem: &str) -> Result<Self, KeyError> {
        let PrivateKey { encoding, public } = PrivateKey::from_block(&Block::parse(pem)?)?;
        Ok(Self { encoding, verifying: VerifyingKey::from_public(algorithm, public)? })
    }

    /// Replaces the key ID; see [`VerifyingKey::with_kid`].
    ///
    /// # Errors
    /// As for [`VerifyingKey::with_kid`].
    pub fn with_kid(self, kid: impl Into<String>) -> Result<Self, KeyError> {
        Ok(Self { verifying: self.verifying.with_kid(kid)?, ..self })
    }

    /// Returns the only algorithm that the key is used with.
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// Returns the key ID, the `kid` of tokens signed with the key. A shared secret has none unless it was
    /// [set](Self::with_kid).
    pub fn kid(&self) -> Option<&str> {
        self.verifying.kid()
    }

    /// Returns the key that verifies its signatures: the public key, or the shared secret itself. Keep it in the key
    /// ring when another key becomes the signing key.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&self.algorithm().to_jsonwebtoken(), &self.encoding)?;
        Ok(signer.try_sign(message)?)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}
