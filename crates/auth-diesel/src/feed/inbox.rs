//! The state shared by the thread that polls and the call that waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::ports::Change;
use tokio::sync::Notify;

/// The number of changes that may wait for a call. Beyond it they are dropped and reported as a gap.
const MAX_PENDING: usize = 10_000;

/// Changes that were found and that no call has returned yet.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Signals the waiting call that a poll was answered.
    arrived: Notify,
    /// Wakes the sleeping thread when the inbox is closed.
    closed: Condvar,
}

#[derive(Default)]
struct State {
    /// Polls are numbered: the last one that was begun.
    begun: u64,
    /// The last poll that the database answered.
    answered: u64,
    found: Found,
    error: Option<String>,
    is_closed: bool,
}

/// The changes since the last call.
#[derive(Default)]
pub(super) struct Found {
    has_gap: bool,
    changes: Vec<Change>,
}

impl Found {
    /// The result of a call. `has_gap` says that the previous call failed.
    pub(super) fn after(self, has_gap: bool) -> Vec<Change> {
        let missed = (self.has_gap || has_gap).then_some(Change::Gap);
        missed.into_iter().chain(self.changes).collect()
    }

    fn discard(&mut self) {
        *self = Self { has_gap: true, changes: Vec::new() };
    }

    fn add(&mut self, changes: Vec<Change>) {
        if changes.contains(&Change::Gap) {
            self.has_gap = true;
        }
        self.changes.extend(changes.into_iter().filter(|change| *change != Change::Gap));
        if self.changes.len() > MAX_PENDING {
            self.discard();
        }
    }
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first poll that sees everything committed before now.
    pub(super) fn next_poll(&self) -> u64 {
        self.state().begun + 1
    }

    /// Returns what was found up to this poll as soon as the database has answered it or a later one.
    pub(super) async fn found_by(&self, poll: u64) -> Found {
        loop {
            {
                let mut state = self.state();
                if state.answered >= poll {
                    return std::mem::take(&mut state.found);
                }
            }
            // `notify_one` stores a permit, so a signal between the check and this line is not lost.
            self.arrived.notified().await;
        }
    }

    /// The error of the last failed poll.
    pub(super) fn error(&self) -> String {
        self.state().error.clone().unwrap_or_else(|| "the database did not answer in time".to_owned())
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.closed.notify_all();
    }

    /// For the thread: whether it should go on.
    pub(super) fn is_open(&self) -> bool {
        !self.state().is_closed
    }

    /// For the thread: the feed starts again here; earlier changes may be lost.
    pub(super) fn restart(&self) {
        self.state().found.discard();
    }

    /// For the thread: a poll begins. Returns its number.
    pub(super) fn begin_poll(&self) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        state.begun
    }

    /// For the thread: the database has answered a poll.
    pub(super) fn end_poll(&self, poll: u64, changes: Vec<Change>) {
        let mut state = self.state();
        state.answered = poll;
        state.found.add(changes);
        state.error = None;
        drop(state);
        self.arrived.notify_one();
    }

    /// For the thread: the connection or a poll failed.
    pub(super) fn report_error(&self, error: String) {
        self.state().error = Some(error);
    }

    /// For the thread: sleeps for `duration`, or until the inbox is closed.
    pub(super) fn pause(&self, duration: Duration) {
        let is_open = |state: &mut State| !state.is_closed;
        drop(self.closed.wait_timeout_while(self.state(), duration, is_open).unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use auth_core::user::UserId;

    use super::*;

    fn change(number: i64) -> Change {
        Change::AccountChanged(UserId::new(number))
    }

    fn take_found(inbox: &Inbox) -> Vec<Change> {
        std::mem::take(&mut inbox.state().found).after(false)
    }

    #[test]
    fn reports_a_gap_first_and_once() {
        let inbox = Inbox::default();
        inbox.end_poll(1, vec![change(1), Change::Gap, change(2), Change::Gap]);
        inbox.end_poll(2, vec![change(3)]);
        assert_eq!(take_found(&inbox), [Change::Gap, change(1), change(2), change(3)]);
        assert_eq!(take_found(&inbox), []);
        assert_eq!(Found::default().after(true), [Change::Gap]);
        inbox.end_poll(3, vec![change(4)]);
        inbox.restart();
        inbox.end_poll(4, vec![change(5)]);
        assert_eq!(take_found(&inbox), [Change::Gap, change(5)]);
    }

    #[test]
    fn drops_changes_beyond_the_limit_and_reports_a_gap() {
        let inbox = Inbox::default();
        let some = || (0..2_500).map(change).collect::<Vec<_>>();
        (0..4).for_each(|poll| inbox.end_poll(poll, some()));
        assert_eq!(inbox.state().found.changes.len(), MAX_PENDING);
        inbox.end_poll(4, vec![change(1)]);
        assert_eq!(inbox.state().found.changes.capacity(), 0);
        inbox.end_poll(5, vec![change(2)]);
        assert_eq!(take_found(&inbox), [Change::Gap, change(2)]);
    }

    #[tokio::test]
    async fn does_not_answer_a_call_with_a_poll_that_began_before_it() {
        let inbox = Inbox::default();
        let poll = inbox.begin_poll();
        let wanted = inbox.next_poll();
        inbox.end_poll(poll, vec![change(1)]);
        let waiting = inbox.found_by(wanted);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("answered by a poll that began before the call"),
            () = tokio::task::yield_now() => {}
        }
        let poll = inbox.begin_poll();
        inbox.end_poll(poll, vec![change(2)]);
        assert_eq!(waiting.await.after(false), [change(1), change(2)]);
    }
}
