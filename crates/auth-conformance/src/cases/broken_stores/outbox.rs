//! A broken outbox.

use async_trait::async_trait;
use auth_accounts::email::{ClaimedEmail, MessageId, OutboxEntry, OutgoingEmail};
use auth_accounts::ports::{Outbox, OutboxPage, Retry};
use auth_core::StoreError;
use auth_core::time::UnixTime;

use super::{Broken, Defect, other_calls};

impl Broken {
    async fn entry(&self, is_wanted: impl Fn(&OutboxEntry) -> bool) -> Option<OutboxEntry> {
        let page = OutboxPage { only_failed: false, after: None, limit: u32::MAX };
        self.inner.list_outbox(page).await.unwrap().into_iter().find(is_wanted)
    }

    /// The attempt for which the inner store records an outcome.
    async fn attempt(&self, id: MessageId, attempt: u32) -> u32 {
        match self.entry(|entry| entry.id == id).await {
            Some(entry) if self.has(Defect::AcceptsAnyOutcome) => entry.attempts,
            _ => attempt,
        }
    }
}

#[async_trait]
impl Outbox for Broken {
    async fn enqueue(&self, mail: &OutgoingEmail) -> Result<(), StoreError> {
        self.inner.enqueue(mail).await
    }

    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedEmail>, StoreError> {
        if !self.has(Defect::ClaimsInTwoSteps) {
            return self.inner.claim(now, until).await;
        }
        let fresh = self.entry(|entry| entry.attempts == 0).await;
        let email = fresh.and_then(|entry| self.inner.emails().into_iter().find(|email| email.id == entry.id));
        other_calls().await;
        let claimed = self.inner.claim(now, until).await?;
        Ok(email.map(|email| ClaimedEmail { email, attempt: 1 }).or(claimed))
    }

    async fn delivered(&self, claimed: MessageId, attempt: u32) -> Result<bool, StoreError> {
        self.inner.delivered(claimed, self.attempt(claimed, attempt).await).await
    }

    async fn reschedule(
        &self,
        claimed: MessageId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError> {
        let attempt = self.attempt(claimed, attempt).await;
        self.inner.reschedule(claimed, attempt, next_attempt_at, error).await
    }

    async fn give_up(&self, claimed: MessageId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError> {
        let attempt = self.attempt(claimed, attempt).await;
        self.inner.give_up(claimed, attempt, now, error).await
    }

    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError> {
        self.inner.list_outbox(page).await
    }

    async fn retry(&self, which: Retry) -> Result<usize, StoreError> {
        self.inner.retry(which).await
    }

    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.inner.prune_outbox(failed_before, self.limit(limit)).await
    }
}
