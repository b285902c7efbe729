//! A key that recognises signatures.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use serde_json::{Map, Value};

use crate::key::jwk::Jwk;
use crate::key::pem::Block;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, secret};

/// A key that recognises signatures: the public half of a key pair, or a shared secret.
///
/// Secret if its algorithm [is symmetric](Algorithm::is_symmetric): wiped when dropped, and never in `Debug`.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    decoding: DecodingKey,
    /// `None` for a shared secret.
    public: Option<PublicKey>,
}

impl VerifyingKey {
    /// A shared secret for an algorithm of the HMAC family: the bytes of the text as it is, not decoded from base64 or
    /// hexadecimal. It has no key id.
    ///
    /// # Errors
    /// [`KeyError`] if the algorithm takes no secret, or the secret is shorter than the hash of the algorithm (RFC 7518
    /// §3.2), a widely published example, or the text of a key or certificate.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let secret = secret.as_ref();
        secret::check(algorithm, secret)?;
        Ok(Self { algorithm, kid: None, decoding: DecodingKey::from_secret(secret), public: None })
    }

    /// A public key from its PEM text (`PUBLIC KEY` or `RSA PUBLIC KEY`). The algorithm follows from the kind of key
    /// (Ed25519: EdDSA, P-256: ES256, P-384: ES384, RSA: RS256) unless one that fits is asked for. Its key id is its
    /// thumbprint (RFC 7638).
    ///
    /// # Errors
    /// [`KeyError`] if the text is not a single public key, is damaged or of another kind, does not fit the algorithm,
    /// or is an RSA key outside 2,048 to 8,192 bits.
    pub fn from_pem(algorithm: Option<Algorithm>, pem: &str) -> Result<Self, KeyError> {
        Self::from_public(algorithm, PublicKey::from_block(&Block::read(pem)?)?)
    }

    /// A public key from its JSON form (RFC 7517 §4): RSA, EC on P-256 or P-384 (RFC 7518 §6), or OKP on Ed25519 (RFC
    /// 8037 §2). The algorithm is the one asked for, else the one that its `alg` names, else it follows from the kind
    /// of key as in [`from_pem`](Self::from_pem). Its key id is its `kid` if a token could name that, else its
    /// thumbprint (RFC 7638). `x5c` and whatever else there is are not looked at.
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
    /// [`KeyError`] if it is no such JSON, a shared secret, private, not for verifying signatures (`use` other than
    /// `sig`, `key_ops` without `verify`), damaged, of another kind, or an RSA key outside 2,048 to 8,192 bits; if its
    /// `alg` is unknown or does not fit the key; and if the algorithm asked for is another one, or does not fit.
    pub fn from_jwk(algorithm: Option<Algorithm>, jwk: &Value) -> Result<Self, KeyError> {
        let jwk = Jwk::of(jwk)?;
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

    /// The same key under another id.
    ///
    /// # Errors
    /// [`KeyError::BadKeyId`] unless it has 1 to 128 characters, all of them letters and digits of ASCII or `._~:=+-@`.
    pub fn with_kid(mut self, kid: impl Into<String>) -> Result<Self, KeyError> {
        let kid = kid.into();
        if !is_sane_kid(&kid) {
            return Err(KeyError::BadKeyId);
        }
        self.kid = Some(kid);
        Ok(self)
    }

    /// The one algorithm that it is used with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id by which tokens name it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether this key made the signature of the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named rather than installed for the whole process: nothing else in the process can change it.
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.of_library(), &self.decoding)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// The key as published (RFC 7517 §4); `None` for a shared secret.
    pub(crate) fn jwk(&self) -> Option<Map<String, Value>> {
        let text = |value: &str| Value::from(value);
        let mut jwk: Map<_, _> = self
            .public
            .as_ref()?
            .jwk_members()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        jwk.insert("use".to_owned(), text("sig"));
        jwk.insert("alg".to_owned(), text(self.algorithm.name()));
        if let Some(kid) = self.kid() {
            jwk.insert("kid".to_owned(), text(kid));
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

/// Whether a text can be a key id: short, and of characters that mean nothing in a path, a query or a log.
pub(crate) fn is_sane_kid(kid: &str) -> bool {
    (1..=128).contains(&kid.len())
        && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:=+-@".contains(&byte))
}
