//! Mails at rest.

use async_trait::async_trait;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;

use crate::mail::{ClaimedEmail, MessageId, OutboxEntry, OutgoingEmail};

/// Which part of the outbox is listed: those after `after`, in the order in which they were put in, at most `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxPage {
    /// Only those that were given up.
    pub only_failed: bool,
    /// The last entry of the page before; `None` for the first page.
    pub after: Option<MessageId>,
    /// How many at most.
    pub limit: u32,
}

/// Which mails to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// All that were given up.
    AllFailed,
    /// This one, given up or waiting; not while somebody has taken it out.
    One(MessageId),
}

/// Mails, and wishes for mails, from the moment that caused them until they are sent.
///
/// Most are put in by the port method that causes them, with the same transaction. Any number of processes take them out.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Puts something in that nothing else is stored with.
    async fn enqueue(&self, mail: &OutgoingEmail) -> Result<(), StoreError>;

    /// Takes out the mail that is due for longest among those of the lowest
    /// [`priority`](crate::mail::Queued::priority), counts an attempt, and keeps it from everybody else until `until`, or
    /// until its outcome is reported. `None` if none is due.
    ///
    /// Due is what was not given up, is not kept from us, and need not wait: it was put in, or asked for again, or the
    /// moment of its next attempt has come; or that moment is later than now by more than
    /// [`MAX_WAIT`](crate::mail::RetryPolicy::MAX_WAIT), which only a clock that was moved back can do. The same holds for
    /// `until`, by more than twice `until - now`: the clocks of two machines may differ, and a mail that is being sent must
    /// not be sent by another one because of that.
    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedEmail>, StoreError>;

    /// It was sent: forgets it. `false`, and nothing done, if the claim is not the last one any more.
    async fn delivered(&self, claimed: MessageId, attempt: u32) -> Result<bool, StoreError>;

    /// It was not sent: it is due again at a moment. `false` as above.
    async fn postpone(
        &self,
        claimed: MessageId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError>;

    /// It was not sent, and will not be: keeps it as failed, until somebody asks for it [again](Self::retry). `false` as
    /// above.
    async fn give_up(&self, claimed: MessageId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError>;

    /// What is in it.
    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Makes mails due at once, with their attempts counted anew. Answers how many.
    async fn retry(&self, which: Retry) -> Result<usize, StoreError>;

    /// Forgets at most `limit` mails that were given up before a moment. Answers how many.
    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
