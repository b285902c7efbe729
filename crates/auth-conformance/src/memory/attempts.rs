//! Rate limits in memory.

use async_trait::async_trait;
use auth_accounts::ports::Attempts;
use auth_accounts::throttle::{Admission, Attempt, Counter, LimitKey, Reduction};
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
        let (mut counted, mut max_delay) = (Vec::new(), None);
        for Attempt { limit_key, limit } in attempts {
            match limit.count(counts.get(limit_key).map(|count| count.counter), now) {
                Ok(counter) => counted.push((limit_key, Count { counter, expires_at: limit.expires_at(&counter) })),
                Err(wait) => max_delay = max_delay.max(Some(wait)),
            }
        }
        if let Some(wait) = max_delay {
            return Ok(Admission::Refused(wait));
        }
        counts.extend(counted.into_iter().map(|(limit_key, count)| (limit_key.clone(), count)));
        Ok(Admission::Admitted)
    }

    async fn reduce(&self, limit_keys: &[(LimitKey, Reduction)]) -> Result<(), StoreError> {
        let counts = &mut self.state().attempts;
        for (limit_key, reduction) in limit_keys {
            match counts.get_mut(limit_key) {
                Some(count) if *reduction == Reduction::Refund && count.counter.count > 1 => count.counter.count -= 1,
                // An empty count is the same as none: the next attempt is the first one.
                _ => drop(counts.remove(limit_key)),
            }
        }
        Ok(())
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().attempts, limit, |count| count.expires_at < now))
    }
}
