//! Rate limits in memory.

use async_trait::async_trait;
use auth_accounts::ports::Attempts;
use auth_accounts::throttle::{Admission, Attempt, Counter, Forgiveness, LimitKey};
use auth_core::StoreError;
use auth_core::time::UnixTime;

use super::{MemoryStore, prune};

/// The count of a limit key, and when it expires.
#[derive(Debug)]
pub(super) struct Count {
    counter: Counter,
    expires_at: UnixTime,
}

#[async_trait]
impl Attempts for MemoryStore {
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError> {
        let counts = &mut self.state().attempts;
        let (mut counted, mut longest_wait) = (Vec::new(), None);
        for Attempt { bucket, limit } in attempts {
            match limit.count(counts.get(bucket).map(|count| count.counter), now) {
                Ok(counter) => counted.push((bucket, Count { counter, expires_at: limit.expires_at(&counter) })),
                Err(wait) => longest_wait = longest_wait.max(Some(wait)),
            }
        }
        if let Some(wait) = longest_wait {
            return Ok(Admission::Refused(wait));
        }
        counts.extend(counted.into_iter().map(|(bucket, count)| (bucket.clone(), count)));
        Ok(Admission::Admitted)
    }

    async fn forgive(&self, buckets: &[(LimitKey, Forgiveness)]) -> Result<(), StoreError> {
        let counts = &mut self.state().attempts;
        for (bucket, forgiveness) in buckets {
            match counts.get_mut(bucket) {
                Some(count) if *forgiveness == Forgiveness::One && count.counter.count > 1 => count.counter.count -= 1,
                // An empty count is the same as none: the next attempt is the first one.
                _ => drop(counts.remove(bucket)),
            }
        }
        Ok(())
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().attempts, limit, |count| count.expires_at < now))
    }
}
