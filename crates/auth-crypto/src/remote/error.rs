//! Why there are no keys of the other issuer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Why the keys of another issuer could not be fetched, or may not be used. No message contains what was fetched.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The source failed, for its own reason.
    #[error("the key set of the other issuer could not be fetched")]
    Fetch(#[source] Arc<dyn Error + Send + Sync>),
    /// The source did not answer in time.
    #[error("the key set of the other issuer did not come within {0:?}")]
    TimedOut(Duration),
    /// The fetch never came to an end: the source panicked, or the runtime was stopped.
    #[error("the fetch of the other issuer's key set was interrupted")]
    Interrupted,
    /// More bytes than [`RemoteKeyRing::MAX_BYTES`](crate::RemoteKeyRing::MAX_BYTES).
    #[error("the key set of the other issuer has {0} bytes, which is too many")]
    TooLong(usize),
    /// More keys than [`RemoteKeyRing::MAX_KEYS`](crate::RemoteKeyRing::MAX_KEYS), good or not.
    #[error("the key set of the other issuer has {0} keys, which is too many")]
    TooManyKeys(usize),
    /// Not a JWK set (RFC 7517 §5).
    #[error("what the other issuer sends is not a JWK set: no JSON object with an array of keys")]
    NotKeySet,
    /// A JWK set in which no key is of use.
    #[error("no key in the other issuer's set is of use: RSA, P-256, P-384 or Ed25519, and for signatures")]
    NoUsableKey,
    /// The last fetch went well, but too long ago, and it is too soon for the next one.
    #[error("the key set of the other issuer is too old, and it is too soon to fetch it again")]
    TooOld,
}
