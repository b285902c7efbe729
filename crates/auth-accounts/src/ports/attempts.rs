//! Storage of rate-limit counts.

use async_trait::async_trait;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;

use crate::throttle::{Admission, Attempt, LimitKey, Reduction};

/// Storage of the counts of attempts. They survive a restart, and all processes of a deployment share them.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Counts one attempt for each of these limit keys, as [`Limit::count`](crate::throttle::Limit::count) decides. If one of
    /// them refuses, counts nothing and returns the longest delay. Calls for the same limit key are serialized (SEC-124).
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError>;

    /// Refunds one attempt of each limit key, or resets its count. A limit key without a count is ignored.
    async fn reduce(&self, limit_keys: &[(LimitKey, Reduction)]) -> Result<(), StoreError>;

    /// Deletes at most `limit` counters that expired before `now`. Returns how many.
    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
