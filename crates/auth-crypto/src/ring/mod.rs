//! The key ring: one key that signs, or none, and any number that verify.
//!
//! It decides who wrote a token, and nothing else: neither the claims nor the time are looked at.

mod header;
mod jws;

use std::collections::HashSet;
use std::fmt;

use async_trait::async_trait;
use auth_core::ports::{Recognised, SignError, TokenSigner, VerifyError};
use auth_core::token::{Payload, RawToken, TokenFault};
use serde_json::{Value, json};

use crate::key::{Algorithm, KeyError, SigningKey, VerifyingKey, to_base64url};
pub(crate) use crate::ring::jws::Jws;

/// What a [`KeyRing`] can be told besides its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingOptions {
    /// The `typ` that new tokens have in their header; `None`: none. That of presented tokens is not looked at.
    pub header_type: Option<String>,
}

impl Default for RingOptions {
    /// `JWT` (RFC 7519 §5.1).
    fn default() -> Self {
        Self { header_type: Some("JWT".to_owned()) }
    }
}

/// One key that signs and any number that verify, told apart by their ids.
///
/// Keys are changed without a refused request in three steps: add the new key to the verifying ones everywhere, then
/// sign with it and keep the old one among the verifying, then drop the old one when its last token has expired.
///
/// Each key has its one algorithm; the header of a token can only agree (RFC 8725 §3.1). A `kid` chooses among the
/// configured keys and nothing else: a configured one leaves that key only, an unknown but harmless one all of them (as
/// for tokens that another issuer signed with the same key), and anything that is no name is refused. `crit` and `b64`
/// are refused (RFC 7515 §4.1.11, RFC 7797); `jwk`, `jku`, `x5u`, `x5c` and `typ` are not looked at.
///
/// ```
/// use auth_core::ports::TokenSigner;
/// use auth_core::token::{Payload, RawToken};
/// use auth_crypto::{KeyRing, RingOptions, SigningKey, generate_ed25519_pem};
/// let ring = || {
///     let key = SigningKey::from_pem(None, &generate_ed25519_pem().unwrap()).unwrap();
///     KeyRing::new(key, Vec::new(), RingOptions::default()).unwrap()
/// };
/// let (ours, theirs) = (ring(), ring());
/// let token = RawToken::parse(&ours.sign(&Payload::new()).unwrap()).unwrap();
/// assert!(ours.recognise(&token).is_ok());
/// assert!(theirs.recognise(&token).is_err());
/// ```
pub struct KeyRing {
    /// `None`: it only verifies.
    signing: Option<Signing>,
    /// All keys, that of the signing key first.
    keys: Vec<VerifyingKey>,
}

/// What makes new tokens.
struct Signing {
    key: SigningKey,
    /// The header of every new token, in base64url.
    header: String,
}

impl KeyRing {
    /// A ring of keys.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`] if two keys have the same id, for a token that names it would be ambiguous.
    pub fn new(signing: SigningKey, verifying: Vec<VerifyingKey>, options: RingOptions) -> Result<Self, KeyError> {
        let mut keys = vec![signing.verifying_key()];
        keys.extend(verifying);
        let mut ring = Self::verifying(keys)?;
        ring.signing = Some(Signing { header: header_of(&signing, options), key: signing });
        Ok(ring)
    }

    /// A ring that recognises tokens and makes none, for services that are not the issuer: its
    /// [`sign`](TokenSigner::sign) always fails with [`KeyError::NoSigningKey`]. Without any key it recognises nothing;
    /// that makes sense only inside a [`RemoteKeyRing`](crate::RemoteKeyRing).
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`] as with [`new`](Self::new).
    pub fn verifying(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let mut seen = HashSet::new();
        if let Some(twice) = keys.iter().filter_map(VerifyingKey::kid).find(|kid| !seen.insert(*kid)) {
            return Err(KeyError::DuplicateKeyId(twice.to_owned()));
        }
        Ok(Self { signing: None, keys })
    }

    /// The algorithm of new tokens; `None` if it only verifies.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signing.as_ref().map(|signing| signing.key.algorithm())
    }

    /// The id of the key of new tokens; `None` if that has none, or the ring only verifies.
    pub fn kid(&self) -> Option<&str> {
        self.signing.as_ref()?.key.kid()
    }

    /// The public keys as a JWK Set (RFC 7517 §5), the signing one first. Shared secrets are left out, so that it is
    /// `{"keys":[]}` where there is nothing else.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().filter_map(VerifyingKey::jwk).collect::<Vec<_>>() })
    }

    /// The payload of a token that one of the keys signed, else [`TokenFault::NotOurs`]. A claim that occurs twice has
    /// its last value (RFC 7519 §4).
    pub fn recognise(&self, token: &RawToken) -> Result<Payload, TokenFault> {
        let jws = Jws::parse(token.expose()).filter(|jws| self.has_made(jws));
        jws.and_then(|jws| jws.claims()).ok_or(TokenFault::NotOurs)
    }

    /// Whether one of the keys made this.
    pub(crate) fn has_made(&self, jws: &Jws<'_>) -> bool {
        match jws.kid().and_then(|kid| self.key(kid)) {
            Some(named) => jws.is_by(named),
            None => self.keys.iter().any(|key| jws.is_by(key)),
        }
    }

    /// The key with this id.
    pub(crate) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// The payload, whatever it is, of a compact JWS (RFC 7515 §5.2) that one of the keys signed.
    #[cfg(test)]
    pub(crate) fn open(&self, jws: &str) -> Option<Vec<u8>> {
        Jws::parse(jws).filter(|jws| self.has_made(jws)).map(Jws::into_payload)
    }
}

/// The header of the tokens that a key will sign, in base64url.
fn header_of(key: &SigningKey, options: RingOptions) -> String {
    let mut header = Payload::new();
    header.insert("alg".to_owned(), key.algorithm().name().into());
    header.extend(key.kid().map(|kid| ("kid".to_owned(), kid.into())));
    header.extend(options.header_type.map(|name| ("typ".to_owned(), name.into())));
    to_base64url(Value::Object(header).to_string())
}

#[async_trait]
impl TokenSigner for KeyRing {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        let Signing { key, header } = self.signing.as_ref().ok_or(KeyError::NoSigningKey)?;
        let mut token = format!("{header}.{}", to_base64url(serde_json::to_vec(payload)?));
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&to_base64url(signature));
        Ok(token)
    }

    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError> {
        let payload = self.recognise(token).map_err(|_| VerifyError::NotOurs)?;
        Ok(Recognised { payload, is_own: true })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys).finish_non_exhaustive()
    }
}
