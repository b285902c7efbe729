//! The verifying key.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use serde_json::{Map, Value};

use crate::key::jwk::Jwk;
use crate::key::pem::Block;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, secret};

/// A key whose signatures are accepted: a public key or a shared secret.
///
/// Secret if its algorithm [is symmetric](Algorithm::is_symmetric): wiped when dropped; never appears in `Debug`
/// output.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    decoding: DecodingKey,
    /// `None` for a shared secret.
    public: Option<PublicKey>,
}

impl VerifyingKey {
    /// Creates a key from a shared secret, for an HMAC algorithm. The bytes of the secret are used as they are, not
    /// decoded from base64 or hex. The key has no key ID.
    ///
    /// # Errors
    /// [`KeyError`] if the algorithm is not symmetric, or if the secret is shorter than the hash output of the
    /// algorithm (RFC 7518 §3.2), a widely published example, or a key or certificate.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let secret = secret.as_ref();
        secret::check(algorithm, secret)?;
        Ok(Self { algorithm, kid: None, decoding: DecodingKey::from_secret(secret), public: None })
    }

    /// Parses a public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`). If `algorithm` is `None`, it follows from the
    /// kind of key (Ed25519: EdDSA, P-256: ES256, P-384: ES384, RSA: RS256). The key ID is the thumbprint of the key
    /// (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] if `pem` is not exactly one public key, or if the key is malformed, unsupported, does not work with
    /// the algorithm, or is an RSA key that does not have 2,048 to 8,192 bits.
    pub fn from_pem(algorithm: Option<Algorithm>, pem: &str) -> Result<Self, KeyError> {
        Self::from_public(algorithm, PublicKey::from_block(&Block::parse(pem)?)?)
    }

    /// Reads a public key from a JWK (RFC 7517 §4): RSA, EC on P-256 or P-384 (RFC 7518 §6), or OKP on Ed25519 (RFC
    /// 8037 §2). If `algorithm` is `None`, it is that of the member `alg`; without `alg` it follows from the kind of
    /// key as in [`from_pem`](Self::from_pem). The key ID is the member `kid` if [`with_kid`](Self::with_kid) accepts
    /// it, and the thumbprint of the key (RFC 7638) otherwise. `x5c` and all other members are ignored.
    ///
    /// ```
    /// use auth_crypto::{Algorithm, VerifyingKey};
    /// // RFC 8037 §A.2.
    /// let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    /// let key = VerifyingKey::from_jwk(None, &jwk).unwrap();
    /// assert_eq!((key.algorithm(), key.kid()), (Algorithm::EdDsa, Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")));
    /// ```
    ///
    /// # Errors
    /// [`KeyError`] if the value is not a JWK, or if the key is a shared secret, private, not for verifying signatures
    /// (`use` other than `sig`, `key_ops` without `verify`), malformed, unsupported, or an RSA key that does not have
    /// 2,048 to 8,192 bits; if `alg` is unknown or differs from `algorithm`; and if the key does not work with the
    /// algorithm.
    pub fn from_jwk(algorithm: Option<Algorithm>, jwk: &Value) -> Result<Self, KeyError> {
        let jwk = Jwk::parse(jwk)?;
        let key = Self::from_public(jwk.algorithm(algorithm)?, jwk.public_key()?)?;
        match jwk.kid() {
            Some(kid) => key.with_kid(kid),
            None => Ok(key),
        }
    }

    pub(super) fn from_public(algorithm: Option<Algorithm>, public: PublicKey) -> Result<Self, KeyError> {
        let algorithm = public.kind().algorithm(algorithm)?;
        let kid = Some(public.thumbprint());
        Ok(Self { algorithm, kid, decoding: public.decoding_key(), public: Some(public) })
    }

    /// Replaces the key ID.
    ///
    /// # Errors
    /// [`KeyError::InvalidKeyId`] unless `kid` has 1 to 128 characters, all of them ASCII letters, ASCII digits or
    /// `._~:=+-@`.
    pub fn with_kid(mut self, kid: impl Into<String>) -> Result<Self, KeyError> {
        let kid = kid.into();
        if !is_valid_kid(&kid) {
            return Err(KeyError::InvalidKeyId);
        }
        self.kid = Some(kid);
        Ok(self)
    }

    /// Returns the only algorithm that the key is used with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key ID, the `kid` of tokens that select the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns whether `signature` is a valid signature of `message` by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // Passes the provider explicitly instead of installing it for the process, where other code could replace it.
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.to_jsonwebtoken(), &self.decoding)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// Returns the JWK to publish (RFC 7517 §4), or `None` for a shared secret.
    pub(crate) fn jwk(&self) -> Option<Map<String, Value>> {
        let string = |value: &str| Value::from(value);
        let mut jwk: Map<_, _> = self
            .public
            .as_ref()?
            .jwk_members()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        jwk.insert("use".to_owned(), string("sig"));
        jwk.insert("alg".to_owned(), string(self.algorithm.name()));
        if let Some(kid) = self.kid() {
            jwk.insert("kid".to_owned(), string(kid));
        }
        Some(jwk)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Returns whether a string is accepted as a key ID: 1 to 128 characters, none of them a path separator, a quote, white
/// space or a control character (SEC-005).
pub(crate) fn is_valid_kid(kid: &str) -> bool {
    (1..=128).contains(&kid.len())
        && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:=+-@".contains(&byte))
}
