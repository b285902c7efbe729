//! The outbox in memory.

use async_trait::async_trait;
use auth_accounts::email::{ClaimedEmail, MessageId, OutboxEntry, OutgoingEmail, Queued, RetryPolicy};
use auth_accounts::ports::{Outbox, OutboxPage, Retry};
use auth_core::StoreError;
use auth_core::time::{Seconds, UnixTime};
use auth_core::user::UserId;

use super::{MemoryStore, keep_all_but};

/// An email and the state of its delivery.
#[derive(Debug)]
struct Entry {
    mail: OutgoingEmail,
    owner: Option<UserId>,
    attempts: u32,
    /// Until when a worker has claimed it.
    claimed_until: Option<UnixTime>,
    next_attempt_at: Option<UnixTime>,
    failed_at: Option<UnixTime>,
    last_error: Option<String>,
}

impl Entry {
    fn new(owner: Option<UserId>, mail: OutgoingEmail) -> Self {
        let (claimed_until, next_attempt_at, failed_at, last_error) = (None, None, None, None);
        Self { mail, owner, attempts: 0, claimed_until, next_attempt_at, failed_at, last_error }
    }

    /// Whether it can be claimed now, for `claim_length`.
    fn is_due(&self, now: UnixTime, claim_length: Seconds) -> bool {
        // A time further away than any claim or wait was stored before the clock was set back, and is ignored.
        let has_come = |moment: UnixTime, longest: Seconds| moment <= now || moment.distance(now) > longest;
        let twice = Seconds::new(claim_length.get().saturating_mul(2));
        self.failed_at.is_none()
            && self.claimed_until.is_none_or(|until| has_come(until, twice))
            && self.next_attempt_at.is_none_or(|moment| has_come(moment, RetryPolicy::MAX_DELAY))
    }

    fn due_since(&self) -> UnixTime {
        self.next_attempt_at.unwrap_or(self.mail.queued_at)
    }

    fn to_outbox_entry(&self) -> OutboxEntry {
        OutboxEntry {
            id: self.mail.id,
            queued: self.mail.queued,
            to: self.mail.to.clone(),
            queued_at: self.mail.queued_at,
            attempts: self.attempts,
            next_attempt_at: self.next_attempt_at,
            failed_at: self.failed_at,
            last_error: self.last_error.clone(),
        }
    }
}

/// The emails in the order in which they were enqueued.
#[derive(Debug, Default)]
pub(super) struct EmailQueue(Vec<Entry>);

impl EmailQueue {
    /// Enqueues emails, which are deleted with their owner.
    pub(super) fn put(&mut self, owner: Option<&UserId>, mails: &[OutgoingEmail]) {
        self.0.extend(mails.iter().map(|mail| Entry::new(owner.cloned(), mail.clone())));
    }

    pub(super) fn emails(&self) -> Vec<OutgoingEmail> {
        self.0.iter().map(|entry| entry.mail.clone()).collect()
    }

    pub(super) fn has_request(&self, id: MessageId) -> bool {
        self.0.iter().any(|entry| entry.mail.id == id && matches!(entry.mail.queued, Queued::Request(_)))
    }

    pub(super) fn remove(&mut self, id: MessageId) {
        self.0.retain(|entry| entry.mail.id != id);
    }

    pub(super) fn delete_all_of(&mut self, owner: UserId) {
        self.0.retain(|entry| entry.owner != Some(owner.clone()));
    }

    /// The email of this claim, if it is the last one and its outcome was not reported; the claim ends.
    fn take_claimed(&mut self, id: MessageId, attempt: u32) -> Option<&mut Entry> {
        let is_it = |entry: &&mut Entry| entry.mail.id == id && entry.attempts == attempt;
        let entry = self.0.iter_mut().find(is_it)?;
        entry.claimed_until.take().map(|_| entry)
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn enqueue(&self, mail: &OutgoingEmail) -> Result<(), StoreError> {
        self.state().outbox.put(None, std::slice::from_ref(mail));
        Ok(())
    }

    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedEmail>, StoreError> {
        let entries = &mut self.state().outbox.0;
        let due = entries.iter_mut().filter(|entry| entry.is_due(now, now.distance(until)));
        Ok(due.min_by_key(|entry| (entry.mail.queued.priority(), entry.due_since())).map(|entry| {
            entry.attempts += 1;
            entry.claimed_until = Some(until);
            ClaimedEmail { email: entry.mail.clone(), attempt: entry.attempts }
        }))
    }

    async fn delivered(&self, claimed: MessageId, attempt: u32) -> Result<bool, StoreError> {
        let outbox = &mut self.state().outbox;
        let is_last = outbox.take_claimed(claimed, attempt).is_some();
        if is_last {
            outbox.remove(claimed);
        }
        Ok(is_last)
    }

    async fn reschedule(
        &self,
        claimed: MessageId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError> {
        let outbox = &mut self.state().outbox;
        let Some(entry) = outbox.take_claimed(claimed, attempt) else { return Ok(false) };
        entry.next_attempt_at = Some(next_attempt_at);
        entry.last_error = Some(error.to_owned());
        Ok(true)
    }

    async fn give_up(&self, claimed: MessageId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError> {
        let outbox = &mut self.state().outbox;
        let Some(entry) = outbox.take_claimed(claimed, attempt) else { return Ok(false) };
        entry.next_attempt_at = None;
        entry.failed_at = Some(now);
        entry.last_error = Some(error.to_owned());
        Ok(true)
    }

    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError> {
        let entries = &self.state().outbox.0;
        // If that entry no longer exists, the page is empty rather than the whole list again.
        let is_before = |entry: &&Entry| page.after.is_some_and(|after| entry.mail.id != after);
        let following = entries.iter().skip_while(is_before).skip(usize::from(page.after.is_some()));
        let wanted = following.filter(|entry| !page.only_failed || entry.failed_at.is_some());
        Ok(wanted.take(page.limit as usize).map(Entry::to_outbox_entry).collect())
    }

    async fn retry(&self, which: Retry) -> Result<usize, StoreError> {
        let is_selected = |entry: &&mut Entry| match which {
            Retry::AllFailed => entry.failed_at.is_some(),
            // An email that a worker has claimed is neither waiting nor given up.
            Retry::One(id) => entry.mail.id == id && entry.claimed_until.is_none(),
        };
        let mut state = self.state();
        let again = state.outbox.0.iter_mut().filter(is_selected);
        Ok(again
            .map(|entry| {
                let last_error = entry.last_error.take();
                *entry = Entry { last_error, ..Entry::new(entry.owner.clone(), entry.mail.clone()) };
            })
            .count())
    }

    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let entries = &mut self.state().outbox.0;
        let before = entries.len();
        entries
            .retain(keep_all_but(limit, |entry: &Entry| entry.failed_at.is_some_and(|moment| moment < failed_before)));
        Ok(before - entries.len())
    }
}
