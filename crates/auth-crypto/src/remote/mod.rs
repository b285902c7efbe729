//! Keys of another issuer, published as a JWK set (RFC 7517 §5).
//!
//! Decides when the keys are fetched and how long they are used. A [`KeySource`] fetches them; this module has no HTTP
//! client.

mod cache;
mod error;
mod fetcher;
mod key_set;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ports::{Recognised, SignError, TokenSigner, VerifyError};
use auth_core::token::{Payload, RawToken};

pub use crate::remote::error::KeySetError;

use crate::KeyRing;
use crate::remote::fetcher::Fetcher;
use crate::remote::key_set::KeySet;
use crate::ring::Jws;

/// Fetches the JWK set of another issuer.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Fetches the JWK set (RFC 7517 §5) and returns it as JSON. The future is dropped after
    /// [`fetch_timeout`](RemoteOptions::fetch_timeout). A response of more than [`RemoteKeyRing::MAX_BYTES`] is
    /// rejected, but only after it was read: the implementation should limit its size as well.
    ///
    /// # Errors
    /// If the JWK set cannot be fetched.
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// When keys are fetched and how long they are used. All durations are measured with the monotonic clock.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// Age after which the next token causes a fetch. Tokens are verified with the cached keys until it succeeds.
    pub refresh_after: Duration,
    /// Age after which cached keys are not used. Limits how long a key that was removed from the set is accepted while
    /// the set cannot be fetched.
    pub max_age: Duration,
    /// Minimum time from the end of one fetch to the start of the next. If zero, every token with an unknown key ID
    /// causes a fetch.
    pub min_interval: Duration,
    /// Time limit for one fetch.
    pub fetch_timeout: Duration,
    /// Called for every fetch that fails, even if tokens can still be verified with cached keys. Must not block.
    pub on_failure: Option<fn(&KeySetError)>,
}

impl Default for RemoteOptions {
    /// Refresh after 5 minutes, maximum age 24 hours, at least 30 seconds between fetches, 5 seconds for each fetch.
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_secs(5 * 60),
            max_age: Duration::from_secs(24 * 60 * 60),
            min_interval: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(5),
            on_failure: None,
        }
    }
}

/// A key ring that also accepts tokens signed by another issuer, whose keys it fetches and caches.
///
/// Signs with its own key ring, and verifies with that first. A token that none of its own keys signed is verified with
/// the keys of the other issuer: with the one that has the token's `kid`, or with all keys of the token's algorithm if
/// it has no `kid`. Symmetric algorithms are accepted for own keys only.
///
/// Keys are fetched on demand, and only for a token that the other issuer may have signed: it is well-formed, has an
/// asymmetric algorithm, and was not signed by an own key. Verification waits for the fetch if there are no usable
/// keys, or if the token's `kid` is unknown. There is only one fetch at a time; concurrent verifications wait for the
/// same one.
///
/// Without usable keys, verification fails with [`VerifyError::KeysUnavailable`], whose source is a [`KeySetError`]. If
/// there are usable keys and none of them signed the token, it fails with [`VerifyError::NotOurs`], even if the fetch
/// for an unknown `kid` failed.
///
/// Verification requires a Tokio runtime with its timer enabled.
///
/// ```
/// use async_trait::async_trait;
/// use auth_core::ports::TokenSigner;
/// use auth_core::token::{Payload, RawToken};
/// use auth_crypto::{KeyRing, KeySource, RemoteKeyRing, RemoteOptions, RingOptions, SigningKey, generate_ed25519_pem};
///
/// /// Stands in for an HTTP client.
/// struct Published(Vec<u8>);
///
/// #[async_trait]
/// impl KeySource for Published {
///     async fn fetch(&self) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
///         Ok(self.0.clone())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let key = SigningKey::from_pem(None, &generate_ed25519_pem().unwrap()).unwrap();
/// let issuer = KeyRing::new(key, Vec::new(), RingOptions::default()).unwrap();
/// let source = Published(issuer.jwks().to_string().into_bytes());
///
/// let own = KeyRing::verifying(Vec::new()).unwrap();
/// let ring = RemoteKeyRing::new(own, Box::new(source), RemoteOptions::default());
/// let token = RawToken::parse(&issuer.sign(&Payload::new()).unwrap()).unwrap();
/// assert!(ring.verify(&token).await.is_ok());
/// # }
/// ```
#[derive(Debug)]
pub struct RemoteKeyRing {
    own: KeyRing,
    remote: Arc<Fetcher>,
}

impl RemoteKeyRing {
    /// Longest JWK set accepted, in bytes.
    pub const MAX_BYTES: usize = KeySet::MAX_BYTES;
    /// Maximum number of keys in a JWK set, usable or not.
    pub const MAX_KEYS: usize = KeySet::MAX_KEYS;

    /// Creates a key ring from own keys and a source of the other issuer's keys. Does not fetch yet.
    pub fn new(own: KeyRing, source: Box<dyn KeySource>, options: RemoteOptions) -> Self {
        Self { own, remote: Arc::new(Fetcher::new(source, options)) }
    }

    /// Returns the own keys.
    pub const fn own(&self) -> &KeyRing {
        &self.own
    }

    /// Returns whether the other issuer signed the token.
    async fn is_signed_by_other_issuer(&self, jws: &Jws<'_>) -> Result<bool, VerifyError> {
        if jws.algorithm().is_none_or(|algorithm| algorithm.is_symmetric()) {
            return Ok(false);
        }
        // The key ID of an own key causes no fetch. If the other issuer has a key with the same key ID, it is tried as
        // well.
        let unknown_kid = jws.kid().filter(|kid| self.own.key(kid).is_none());
        match self.remote.keys(unknown_kid).await {
            Ok(keys) => Ok(keys.has_signed(jws)),
            Err(error) => Err(VerifyError::KeysUnavailable(error.into())),
        }
    }
}

#[async_trait]
impl TokenSigner for RemoteKeyRing {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        self.own.sign(payload)
    }

    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError> {
        let jws = Jws::parse(token.expose()).ok_or(VerifyError::NotOurs)?;
        // Parsed before it is verified: a token without a valid payload must not cause a fetch.
        let payload = jws.claims().ok_or(VerifyError::NotOurs)?;
        if self.own.has_signed(&jws) {
            return Ok(Recognised { payload, is_own: true });
        }
        match self.is_signed_by_other_issuer(&jws).await? {
            true => Ok(Recognised { payload, is_own: false }),
            false => Err(VerifyError::NotOurs),
        }
    }
}
