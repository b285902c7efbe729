//! Broken blacklist and rate limits.

use async_trait::async_trait;
use auth_accounts::ports::Attempts;
use auth_accounts::throttle::{Admission, Attempt, LimitKey, Reduction};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::Blacklist;
use auth_core::time::UnixTime;
use auth_core::token::TokenId;

use super::{Broken, Defect, other_calls};

#[async_trait]
impl Blacklist for Broken {
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        reason: &str,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let is_new = self.inner.refuse(jti, expires_at, reason, effects).await?;
        Ok(is_new || self.has(Defect::BlacklistsRepeatedly))
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        self.inner.is_refused(jti).await
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.inner.prune_blacklist(now, self.limit(limit)).await
    }
}

impl Broken {
    /// Counts attempts with one read and one write.
    async fn count_in_two_steps(&self, attempts: &[Attempt], now: UnixTime) -> Admission {
        let counter = |attempt: &Attempt| self.counts.lock().unwrap().get(&attempt.limit_key).copied();
        let decisions: Vec<_> = attempts.iter().map(|attempt| attempt.limit.count(counter(attempt), now)).collect();
        other_calls().await;
        if let Some(wait) = decisions.iter().filter_map(|decision| decision.err()).max() {
            return Admission::Refused(wait);
        }
        let counted = decisions.into_iter().flatten();
        self.counts.lock().unwrap().extend(attempts.iter().map(|attempt| attempt.limit_key.clone()).zip(counted));
        Admission::Admitted
    }
}

#[async_trait]
impl Attempts for Broken {
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError> {
        self.wait_or_fail().await?;
        match self.defect {
            Defect::AdmitsInTwoSteps => Ok(self.count_in_two_steps(attempts, now).await),
            Defect::CountsRefusedAttempts => {
                let mut refused = None;
                for attempt in attempts {
                    if let Admission::Refused(wait) = self.inner.admit(std::slice::from_ref(attempt), now).await? {
                        refused = refused.max(Some(wait));
                    }
                }
                Ok(refused.map_or(Admission::Admitted, Admission::Refused))
            }
            _ => self.inner.admit(attempts, now).await,
        }
    }

    async fn reduce(&self, limit_keys: &[(LimitKey, Reduction)]) -> Result<(), StoreError> {
        if self.has(Defect::RefundsNothing) { Ok(()) } else { self.inner.reduce(limit_keys).await }
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.inner.prune_attempts(now, self.limit(limit)).await
    }
}
