//! The keys of another issuer, which publishes them as a JWK set (RFC 7517 §5).
//!
//! It decides when they are fetched and how long they are used. How they are fetched is the business of a
//! [`KeySource`]: there is no HTTP here.

mod error;
mod fetcher;
mod key_set;
mod known;

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

/// Where the keys of another issuer come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The text of a JWK set (RFC 7517 §5). Must answer within a bounded time and size: it is dropped after
    /// [`fetch_timeout`](RemoteOptions::fetch_timeout), and more than [`RemoteKeyRing::MAX_BYTES`] are refused, but
    /// only when they have been read.
    ///
    /// # Errors
    /// Whatever kept it from that.
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// When keys are fetched, and how long they are used. Measured by a clock that does not jump.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// Keys older than this are fetched again at the next token. That one and those after it are judged by the old keys
    /// until the new ones have come.
    pub refresh_after: Duration,
    /// Keys older than this are not used any more. It bounds for how long a key outlives its removal from the set while
    /// that cannot be fetched.
    pub max_age: Duration,
    /// The least time from the end of one fetch to the start of the next, whatever asks for it. Zero lets every token
    /// with an unknown key id cause one.
    pub min_interval: Duration,
    /// How long a fetch may take.
    pub fetch_timeout: Duration,
    /// Told of every fetch that failed, also where the old keys hide it. Must not block.
    pub on_failure: Option<fn(&KeySetError)>,
}

impl Default for RemoteOptions {
    /// Fetch after five minutes, use for a day, half a minute between fetches, five seconds for each.
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

/// A ring of own keys, and the keys of another issuer.
///
/// It signs with the own keys. A token is tried with them first, and then with those of the other issuer: with the one
/// that it names, or if it names none with all of its algorithm. Symmetric algorithms are for own keys only.
///
/// Nothing is fetched before a token asks for it, and only one that may be the other issuer's does: it is well-formed,
/// none of the own keys made it, and its algorithm is asymmetric. It then waits for a fetch if there are no usable keys
/// at all, or it names one that nobody has. There is one fetch at a time, and everybody waits for that. Without usable
/// keys such a token is answered with [`VerifyError::KeysUnavailable`], whose source is a [`KeySetError`]; with usable
/// keys, of which none made it, with [`VerifyError::NotOurs`], even if the fetch for the key that it names failed.
///
/// Verification needs a Tokio runtime with its timer enabled.
///
/// ```
/// use async_trait::async_trait;
/// use auth_core::ports::TokenSigner;
/// use auth_core::token::{Payload, RawToken};
/// use auth_crypto::{KeyRing, KeySource, RemoteKeyRing, RemoteOptions, RingOptions, SigningKey, generate_ed25519_pem};
///
/// /// Instead of HTTP.
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
    /// Longest JWK set, in bytes.
    pub const MAX_BYTES: usize = KeySet::MAX_BYTES;
    /// Most keys in a JWK set, good or not.
    pub const MAX_KEYS: usize = KeySet::MAX_KEYS;

    /// A ring of own keys and those that a source has. Nothing is fetched yet.
    pub fn new(own: KeyRing, source: Box<dyn KeySource>, options: RemoteOptions) -> Self {
        Self { own, remote: Arc::new(Fetcher::new(source, options)) }
    }

    /// The own keys.
    pub const fn own(&self) -> &KeyRing {
        &self.own
    }

    /// Whether the other issuer made this.
    async fn has_other_made(&self, jws: &Jws<'_>) -> Result<bool, VerifyError> {
        if jws.algorithm().is_none_or(|algorithm| algorithm.is_symmetric()) {
            return Ok(false);
        }
        // The name of an own key is no reason to look for it elsewhere. Should the other issuer use it as well, its key
        // counts too.
        let sought = jws.kid().filter(|kid| self.own.key(kid).is_none());
        match self.remote.keys(sought).await {
            Ok(keys) => Ok(keys.has_made(jws)),
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
        // Read before it is trusted, for what is no payload must not cause a fetch.
        let payload = jws.claims().ok_or(VerifyError::NotOurs)?;
        if self.own.has_made(&jws) {
            return Ok(Recognised { payload, is_own: true });
        }
        match self.has_other_made(&jws).await? {
            true => Ok(Recognised { payload, is_own: false }),
            false => Err(VerifyError::NotOurs),
        }
    }
}
