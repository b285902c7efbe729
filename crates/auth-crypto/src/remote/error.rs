//! Errors of the JWK set of another issuer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Why the keys of another issuer cannot be fetched or used. No message contains any part of the response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The [`KeySource`](crate::KeySource) failed.
    #[error("fetching the issuer's JWK set failed")]
    Fetch(#[source] Arc<dyn Error + Send + Sync>),
    /// The source did not return within [`fetch_timeout`](crate::RemoteOptions::fetch_timeout).
    #[error("fetching the issuer's JWK set timed out after {0:?}")]
    TimedOut(Duration),
    /// The fetch did not complete: the source panicked, or the runtime was shut down.
    #[error("fetching the issuer's JWK set was interrupted")]
    Interrupted,
    /// The JWK set is longer than [`RemoteKeyRing::MAX_BYTES`](crate::RemoteKeyRing::MAX_BYTES).
    #[error("the issuer's JWK set is too long: {0} bytes")]
    TooLong(usize),
    /// The JWK set has more than [`RemoteKeyRing::MAX_KEYS`](crate::RemoteKeyRing::MAX_KEYS) keys, usable or not.
    #[error("the issuer's JWK set has too many keys: {0}")]
    TooManyKeys(usize),
    /// The response is not a JWK set (RFC 7517 §5).
    #[error("the issuer's response is not a JWK set (a JSON object with an array `keys`)")]
    NotKeySet,
    /// The JWK set has no usable key.
    #[error("the issuer's JWK set has no usable key (RSA, P-256, P-384 or Ed25519, for signatures)")]
    NoUsableKey,
    /// The keys are older than [`max_age`](crate::RemoteOptions::max_age), and
    /// [`min_interval`](crate::RemoteOptions::min_interval) does not allow another fetch yet.
    #[error("the issuer's JWK set has expired and cannot be fetched again yet")]
    Expired,
}
