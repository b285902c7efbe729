//! Attempts that are counted.

use async_trait::async_trait;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;

use crate::throttle::{Admission, Attempt, Forgiveness, LimitKey};

/// Counts of attempts. They survive a restart, and all processes of an installation count together.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Counts one attempt in each of these buckets, as [`Limit::count`](crate::throttle::Limit::count) decides, or in none
    /// of them if one refuses it: then the longest wait is answered. Calls for one bucket are decided one after the other.
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError>;

    /// Takes attempts back: what was counted was no guess.
    async fn forgive(&self, buckets: &[(LimitKey, Forgiveness)]) -> Result<(), StoreError>;

    /// Forgets at most `limit` buckets whose counters expired before `now`. Answers how many.
    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
