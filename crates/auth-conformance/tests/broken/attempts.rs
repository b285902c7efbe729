//! Attempts with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::Attempts;
use auth_core::throttle::{Admission, Attempt, Bucket, Forgiveness};
use auth_core::time::UnixTime;

use super::Broken;

#[async_trait]
impl Attempts for Broken {
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError> {
        self.inner.admit(attempts, now).await
    }

    async fn forgive(&self, buckets: &[(Bucket, Forgiveness)]) -> Result<(), StoreError> {
        self.inner.forgive(buckets).await
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        self.inner.prune_attempts(now, limit).await
    }
}
