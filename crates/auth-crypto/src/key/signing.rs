//! A key that makes signatures.

use std::fmt;

use auth_core::ports::SignError;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::aws_lc;

use crate::key::pem::Block;
use crate::key::private::PrivateKey;
use crate::key::{Algorithm, KeyError, VerifyingKey};

/// A key that makes signatures: a private key, or a shared secret.
///
/// Secret: wiped when dropped, and never in `Debug`.
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
    /// A shared secret for an algorithm of the HMAC family; see [`VerifyingKey::from_secret`].
    ///
    /// # Errors
    /// The same.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_secret(algorithm, &secret)?;
        Ok(Self { encoding: EncodingKey::from_secret(secret.as_ref()), verifying })
    }

    /// A private key from its PEM text (`PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, not encrypted). The
    /// algorithm follows from the kind of key (Ed25519: EdDSA, P-256: ES256, P-384: ES384, RSA: RS256) unless one that
    /// fits is asked for. Its key id is its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] if the text is not a single private key, is damaged or of another kind, does not fit the algorithm,
    /// or is an RSA key outside 2,048 to 8,192 bits.
    pub fn from_pem(algorithm: Option<Algorithm>, pem: &str) -> Result<Self, KeyError> {
        let PrivateKey { encoding, public } = PrivateKey::from_block(&Block::read(pem)?)?;
        Ok(Self { encoding, verifying: VerifyingKey::from_public(algorithm, public)? })
    }

    /// The same key under another id; see [`VerifyingKey::with_kid`].
    ///
    /// # Errors
    /// The same.
    pub fn with_kid(self, kid: impl Into<String>) -> Result<Self, KeyError> {
        Ok(Self { verifying: self.verifying.with_kid(kid)?, ..self })
    }

    /// The one algorithm that it is used with.
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The id that its tokens name; a shared secret has none unless [given one](Self::with_kid).
    pub fn kid(&self) -> Option<&str> {
        self.verifying.kid()
    }

    /// What recognises its signatures: the public half, or the secret itself. This is how a key that has signed until
    /// now keeps verifying after another took its place.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The signature of a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&self.algorithm().of_library(), &self.encoding)?;
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
