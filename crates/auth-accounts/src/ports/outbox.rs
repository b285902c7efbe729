//! Storage of the outbox.

use async_trait::async_trait;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;

use crate::email::{ClaimedEmail, MessageId, OutboxEntry, OutgoingEmail};

/// The page of the outbox to list. Emails are listed in the order in which they were enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxPage {
    /// Whether to list only emails that were given up.
    pub only_failed: bool,
    /// The last entry of the previous page; `None` for the first page.
    pub after: Option<MessageId>,
    /// The maximum number of entries.
    pub limit: u32,
}

/// Which emails to deliver again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// All emails that were given up.
    AllFailed,
    /// This email, given up or waiting, unless a worker has claimed it.
    One(MessageId),
}

/// Storage of emails, and of requests for emails, until they are delivered.
///
/// Most are enqueued by other port methods, in the transaction that causes them. Any number of processes may deliver them.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Enqueues an email or a request in a transaction of its own.
    async fn enqueue(&self, email: &OutgoingEmail) -> Result<(), StoreError>;

    /// Claims the email that has been due longest among those with the lowest value of
    /// [`priority`](crate::email::Queued::priority), counts an attempt, and reserves the email until `until` or until its
    /// outcome is reported. Returns `None` if no email is due.
    ///
    /// An email is due if it was not given up, is not claimed, and has no next attempt in the future. A next attempt that is
    /// more than [`MAX_DELAY`](crate::email::RetryPolicy::MAX_DELAY) in the future counts as due, because only a clock that was
    /// set back can cause it. Likewise, a lease that ends more than twice `until - now` in the future counts as ended. The
    /// factor of two allows for clocks that differ, so that an email is not delivered twice.
    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedEmail>, StoreError>;

    /// Removes a delivered email. Returns `false` and changes nothing if this is no longer the last claim.
    async fn delivered(&self, claimed: MessageId, attempt: u32) -> Result<bool, StoreError>;

    /// Reschedules an email after a failed attempt. Returns `false` when [`delivered`](Self::delivered) does.
    async fn reschedule(
        &self,
        claimed: MessageId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError>;

    /// Gives up an email. It stays in the outbox until it is [retried](Self::retry) or pruned. Returns `false` when
    /// [`delivered`](Self::delivered) does.
    async fn give_up(&self, claimed: MessageId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError>;

    /// Lists a page of the outbox.
    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Makes emails due now, and resets their attempts. Returns the number of emails.
    async fn retry(&self, which: Retry) -> Result<usize, StoreError>;

    /// Deletes at most `limit` emails that were given up before `failed_before`. Returns the number deleted.
    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
