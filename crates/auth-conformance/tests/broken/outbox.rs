//! An outbox with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::mail::{ClaimedMail, MailId, NewMail, OutboxEntry};
use auth_core::ports::{Outbox, OutboxPage, Retry};
use auth_core::time::UnixTime;

use super::Broken;

#[async_trait]
impl Outbox for Broken {
    async fn enqueue(&self, mail: &NewMail) -> Result<(), StoreError> {
        self.inner.enqueue(mail).await
    }

    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedMail>, StoreError> {
        self.inner.claim(now, until).await
    }

    async fn delivered(&self, claimed: MailId, attempt: u32) -> Result<bool, StoreError> {
        self.inner.delivered(claimed, attempt).await
    }

    async fn postpone(
        &self,
        claimed: MailId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError> {
        self.inner.postpone(claimed, attempt, next_attempt_at, error).await
    }

    async fn give_up(&self, claimed: MailId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError> {
        self.inner.give_up(claimed, attempt, now, error).await
    }

    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError> {
        self.inner.list_outbox(page).await
    }

    async fn retry(&self, which: Retry) -> Result<usize, StoreError> {
        self.inner.retry(which).await
    }

    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (failed_before, limit) = self.pruning(failed_before, limit);
        self.inner.prune_outbox(failed_before, limit).await
    }
}
