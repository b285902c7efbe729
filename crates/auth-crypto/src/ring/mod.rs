//! The key ring: one key that signs, any number that verify.
//!
//! It decides who wrote a token, and nothing else: neither the claims nor the time are looked at.

mod header;

use std::collections::HashSet;
use std::fmt;

use auth_core::ports::{SignError, TokenSigner};
use auth_core::token::{Payload, RawToken, TokenFault};
use serde_json::{Value, json};

use crate::key::{Algorithm, KeyError, SigningKey, VerifyingKey, from_base64url, to_base64url};
use crate::ring::header::Header;

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
/// assert!(ours.verify(&token).is_ok());
/// assert!(theirs.verify(&token).is_err());
/// ```
pub struct KeyRing {
    signing: SigningKey,
    /// The header of every new token, in base64url.
    header: String,
    /// All keys, that of the signing key first.
    keys: Vec<VerifyingKey>,
}

impl KeyRing {
    /// A ring of keys.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`] if two keys have the same id, for a token that names it would be ambiguous.
    pub fn new(signing: SigningKey, verifying: Vec<VerifyingKey>, options: RingOptions) -> Result<Self, KeyError> {
        let mut keys = vec![signing.verifying_key()];
        keys.extend(verifying);
        let mut seen = HashSet::new();
        if let Some(twice) = keys.iter().filter_map(VerifyingKey::kid).find(|kid| !seen.insert(*kid)) {
            return Err(KeyError::DuplicateKeyId(twice.to_owned()));
        }
        let mut header = Payload::new();
        header.insert("alg".to_owned(), signing.algorithm().name().into());
        header.extend(signing.kid().map(|kid| ("kid".to_owned(), kid.into())));
        header.extend(options.header_type.map(|name| ("typ".to_owned(), name.into())));
        Ok(Self { header: to_base64url(Value::Object(header).to_string()), signing, keys })
    }

    /// The algorithm of new tokens.
    pub const fn algorithm(&self) -> Algorithm {
        self.signing.algorithm()
    }

    /// The id of the key of new tokens.
    pub fn kid(&self) -> Option<&str> {
        self.signing.kid()
    }

    /// The public keys as a JWK Set (RFC 7517 §5), the signing one first. Shared secrets are left out, so that it is
    /// `{"keys":[]}` where there is nothing else.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().filter_map(VerifyingKey::jwk).collect::<Vec<_>>() })
    }

    /// The payload, whatever it is, of a compact JWS (RFC 7515 §5.2) that one of the keys signed.
    pub(crate) fn open(&self, jws: &str) -> Option<Vec<u8>> {
        let (message, signature) = jws.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header = Header::parse(&from_base64url(header)?)?;
        let signature = from_base64url(signature)?;
        let ours = self.candidates(&header).any(|key| key.verifies(message.as_bytes(), &signature));
        if ours { from_base64url(payload) } else { None }
    }

    /// The keys that may have signed a token with this header.
    fn candidates(&self, header: &Header) -> impl Iterator<Item = &VerifyingKey> {
        let is_named = |key: &&VerifyingKey| header.kid.is_some() && key.kid() == header.kid.as_deref();
        let named = self.keys.iter().find(is_named);
        let any = if named.is_some() { &[] } else { self.keys.as_slice() };
        named.into_iter().chain(any).filter(|key| key.algorithm().name() == header.alg)
    }
}

impl TokenSigner for KeyRing {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        let mut token = format!("{}.{}", self.header, to_base64url(serde_json::to_vec(payload)?));
        let signature = self.signing.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&to_base64url(signature));
        Ok(token)
    }

    /// A claim that occurs twice has its last value (RFC 7519 §4).
    fn verify(&self, token: &RawToken) -> Result<Payload, TokenFault> {
        let payload = self.open(token.expose()).ok_or(TokenFault::NotOurs)?;
        serde_json::from_slice(&payload).map_err(|_| TokenFault::NotOurs)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys).finish_non_exhaustive()
    }
}
