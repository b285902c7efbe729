//! An outbox with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::mail::{ClaimedMail, MailId, NewMail, OutboxEntry};
use auth_core::ports::{Outbox, OutboxPage, Retry};
use auth_core::secret::Sealed;
use auth_core::time::UnixTime;

use super::{Broken, Defect, meanwhile};

impl Broken {
    async fn outbox(&self) -> Vec<OutboxEntry> {
        self.inner.list_outbox(OutboxPage { only_failed: false, after: None, limit: u32::MAX }).await.unwrap()
    }

    /// The attempt that an outcome is taken for.
    async fn attempt(&self, id: MailId, attempt: u32) -> u32 {
        match self.outbox().await.into_iter().find(|entry| entry.id == id) {
            Some(entry) if self.has(Defect::AcceptsAnyOutcome) => entry.attempts,
            _ => attempt,
        }
    }
}

#[async_trait]
impl Outbox for Broken {
    async fn enqueue(&self, mail: &NewMail) -> Result<(), StoreError> {
        let mut bytes = mail.content.bytes().to_vec();
        if self.has(Defect::CutsContents) {
            bytes.truncate(1_024);
        }
        self.inner.enqueue(&NewMail { content: Sealed::new(bytes), ..mail.clone() }).await
    }

    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedMail>, StoreError> {
        match self.defect {
            Defect::ClaimsWithoutHiding => self.inner.claim(now, now).await,
            Defect::ClaimsInTwoSteps => {
                let fresh = self.outbox().await.into_iter().find(|entry| entry.attempts == 0);
                let mail = fresh.and_then(|entry| self.inner.mails().into_iter().find(|mail| mail.id == entry.id));
                meanwhile().await;
                let claimed = self.inner.claim(now, until).await?;
                Ok(mail.map(|mail| ClaimedMail { mail, attempt: 1 }).or(claimed))
            }
            Defect::WaitsForLostMoments => {
                let waits = |entry: &OutboxEntry| entry.next_attempt_at.is_some_and(|moment| moment > now);
                if self.outbox().await.iter().all(waits) { Ok(None) } else { self.inner.claim(now, until).await }
            }
            // The longest that this clock keeps anything counts for every clock.
            Defect::TakesMailsFromSlowClocks => {
                let kept = self.kept.lock().unwrap().values().copied().find(|kept| *kept > until);
                let now = kept.unwrap_or(now);
                let claimed = self.inner.claim(now, until).await?;
                self.kept.lock().unwrap().extend(claimed.iter().map(|claimed| (claimed.mail.id, until)));
                Ok(claimed)
            }
            _ => self.inner.claim(now, until).await,
        }
    }

    async fn delivered(&self, claimed: MailId, attempt: u32) -> Result<bool, StoreError> {
        let attempt = self.attempt(claimed, attempt).await;
        if self.has(Defect::DeliversWithoutForgetting) {
            return self.inner.postpone(claimed, attempt, UnixTime::MAX, "").await;
        }
        self.inner.delivered(claimed, attempt).await
    }

    async fn postpone(
        &self,
        claimed: MailId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError> {
        let attempt = self.attempt(claimed, attempt).await;
        self.inner.postpone(claimed, attempt, next_attempt_at, error).await
    }

    async fn give_up(&self, claimed: MailId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError> {
        let attempt = self.attempt(claimed, attempt).await;
        self.inner.give_up(claimed, attempt, now, error).await
    }

    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut entries = self.inner.list_outbox(page).await?;
        if self.has(Defect::ListsTheOutboxBackwards) {
            entries.reverse();
        }
        Ok(entries)
    }

    async fn retry(&self, which: Retry) -> Result<usize, StoreError> {
        if self.has(Defect::RetriesEverything) {
            let mut retried = 0;
            for entry in self.outbox().await {
                retried += self.inner.retry(Retry::One(entry.id)).await?;
            }
            return Ok(retried);
        }
        self.inner.retry(which).await
    }

    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (failed_before, limit) = self.pruning(failed_before, limit);
        self.inner.prune_outbox(failed_before, limit).await
    }
}
