//! The key ring: at most one signing key and any number of verifying keys.
//!
//! It checks who signed a token, but not its claims or expiry.

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

/// Options of a [`KeyRing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingOptions {
    /// The `typ` in the header of new tokens; `None` to leave it out. The `typ` of presented tokens is ignored.
    pub header_type: Option<String>,
}

impl Default for RingOptions {
    /// `JWT` (RFC 7519 §5.1).
    fn default() -> Self {
        Self { header_type: Some("JWT".to_owned()) }
    }
}

/// The signing key and all verifying keys of a deployment.
///
/// To replace the signing key without rejecting valid tokens (SEC-142): first add the new key to the verifying keys of
/// every process; then make it the signing key and keep the old one as a verifying key; finally remove the old key once
/// the last token signed with it has expired.
///
/// Each key has one fixed algorithm, which the `alg` of a token must match (RFC 8725 §3.1). The `kid` of a token only
/// selects a configured key (SEC-005). With a known key ID, only that key is tried. With an unknown but valid one, or
/// without `kid`, all keys are tried, because another issuer may sign with the same key. A token with an invalid key
/// ID is rejected. Headers with `crit` or `b64` are rejected (RFC 7515 §4.1.11, RFC 7797). `jwk`, `jku`, `x5u`, `x5c`
/// and `typ` are ignored.
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
    /// `None` if the ring only verifies.
    signing: Option<Signing>,
    /// All verifying keys, starting with that of the signing key.
    keys: Vec<VerifyingKey>,
}

/// The signing key and the header of the tokens that it signs.
struct Signing {
    key: SigningKey,
    /// The header, encoded in base64url.
    header: String,
}

impl KeyRing {
    /// Creates a key ring. The signing key is also a verifying key.
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`] if two keys have the same key ID, which would be ambiguous as the `kid` of a token.
    pub fn new(signing: SigningKey, verifying: Vec<VerifyingKey>, options: RingOptions) -> Result<Self, KeyError> {
        let mut keys = vec![signing.verifying_key()];
        keys.extend(verifying);
        let mut ring = Self::verifying(keys)?;
        ring.signing = Some(Signing { header: encoded_header(&signing, options), key: signing });
        Ok(ring)
    }

    /// Creates a key ring that only verifies tokens, for services that do not issue them. Its
    /// [`sign`](TokenSigner::sign) always fails with [`KeyError::NoSigningKey`]. An empty ring rejects every token,
    /// which is useful only within a [`RemoteKeyRing`](crate::RemoteKeyRing).
    ///
    /// # Errors
    /// [`KeyError::DuplicateKeyId`], as for [`new`](Self::new).
    pub fn verifying(keys: Vec<VerifyingKey>) -> Result<Self, KeyError> {
        let mut seen = HashSet::new();
        if let Some(duplicate) = keys.iter().filter_map(VerifyingKey::kid).find(|kid| !seen.insert(*kid)) {
            return Err(KeyError::DuplicateKeyId(duplicate.to_owned()));
        }
        Ok(Self { signing: None, keys })
    }

    /// Returns the algorithm of new tokens, or `None` if the ring only verifies.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signing.as_ref().map(|signing| signing.key.algorithm())
    }

    /// Returns the key ID of the signing key, or `None` if it has none or the ring only verifies.
    pub fn kid(&self) -> Option<&str> {
        self.signing.as_ref()?.key.kid()
    }

    /// Returns the public keys as a JWK set (RFC 7517 §5), starting with that of the signing key. Shared secrets are
    /// left out; without public keys the result is `{"keys":[]}`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().filter_map(VerifyingKey::jwk).collect::<Vec<_>>() })
    }

    /// Verifies the signature of a token and returns its payload. Of duplicate claims, the last counts (RFC 7519
    /// §4). Does not check the claims.
    ///
    /// # Errors
    /// [`TokenFault::NotOurs`] if none of the keys signed the token, or if its payload is not a JSON object.
    pub fn recognise(&self, token: &RawToken) -> Result<Payload, TokenFault> {
        let jws = Jws::parse(token.expose()).filter(|jws| self.has_signed(jws));
        jws.and_then(|jws| jws.claims()).ok_or(TokenFault::NotOurs)
    }

    /// Returns whether one of the keys signed the token.
    pub(crate) fn has_signed(&self, jws: &Jws<'_>) -> bool {
        match jws.kid().and_then(|kid| self.key(kid)) {
            Some(selected) => jws.is_signed_by(selected),
            None => self.keys.iter().any(|key| jws.is_signed_by(key)),
        }
    }

    /// Returns the key with this key ID.
    pub(crate) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// Returns the payload, which need not be JSON, of a JWS that one of the keys signed (RFC 7515 §5.2).
    #[cfg(test)]
    pub(crate) fn verified_payload(&self, jws: &str) -> Option<Vec<u8>> {
        Jws::parse(jws).filter(|jws| self.has_signed(jws)).map(Jws::into_payload)
    }
}

/// Returns the header of the tokens that `key` signs, encoded in base64url.
fn encoded_header(key: &SigningKey, options: RingOptions) -> String {
    let mut header = Payload::new();
    header.insert("alg".to_owned(), key.algorithm().name().into());
    header.extend(key.kid().map(|kid| ("kid".to_owned(), kid.into())));
    header.extend(options.header_type.map(|typ| ("typ".to_owned(), typ.into())));
    to_base64url(Value::Object(header).to_string())
}

#[async_trait]
impl TokenSigner for KeyRing {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        let Signing { key, header } = self.signing.as_ref().ok_or(KeyError::NoSigningKey)?;
        // The signing input, which is also the start of the token (RFC 7515 §5.1).
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
