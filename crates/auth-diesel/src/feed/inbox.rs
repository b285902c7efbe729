//! Between the thread that looks and the call that waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::ports::Change;
use tokio::sync::Notify;

/// How many changes may wait to be taken. Beyond that they are dropped, and missed.
const MOST: usize = 10_000;

/// What has been found and nobody has taken yet.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// There is something for the call that waits.
    arrived: Notify,
    /// There is something for the thread that sleeps.
    closed: Condvar,
}

#[derive(Default)]
struct State {
    /// Looks are numbered: so many were begun …
    begun: u64,
    /// … and this one was the last that the database answered.
    answered: u64,
    found: Found,
    trouble: Option<String>,
    is_closed: bool,
}

/// What was found since the last time.
#[derive(Default)]
pub(super) struct Found {
    has_missed: bool,
    changes: Vec<Change>,
}

impl Found {
    /// The answer to a call; `has_missed`: after one that failed.
    pub(super) fn after(self, has_missed: bool) -> Vec<Change> {
        let missed = (self.has_missed || has_missed).then_some(Change::Gap);
        missed.into_iter().chain(self.changes).collect()
    }

    fn miss(&mut self) {
        *self = Self { has_missed: true, changes: Vec::new() };
    }

    fn add(&mut self, changes: Vec<Change>) {
        if changes.contains(&Change::Gap) {
            self.has_missed = true;
        }
        self.changes.extend(changes.into_iter().filter(|change| *change != Change::Gap));
        if self.changes.len() > MOST {
            self.miss();
        }
    }
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first look that sees everything that has been committed by now.
    pub(super) fn next_look(&self) -> u64 {
        self.state().begun + 1
    }

    /// What was found up to this look, as soon as the database has answered it, or a later one.
    pub(super) async fn found_by(&self, look: u64) -> Found {
        loop {
            {
                let mut state = self.state();
                if state.answered >= look {
                    return std::mem::take(&mut state.found);
                }
            }
            // Kept for us if it came in between.
            self.arrived.notified().await;
        }
    }

    /// Why there is no answer.
    pub(super) fn trouble(&self) -> String {
        self.state().trouble.clone().unwrap_or_else(|| "the database did not answer in time".to_owned())
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.closed.notify_all();
    }

    /// For the thread: whether anybody still wants to know.
    pub(super) fn is_open(&self) -> bool {
        !self.state().is_closed
    }

    /// For the thread: it follows from here on, and knows nothing of what was before.
    pub(super) fn restart(&self) {
        self.state().found.miss();
    }

    /// For the thread: it looks.
    pub(super) fn begin_look(&self) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        state.begun
    }

    /// For the thread: the database has answered.
    pub(super) fn end_look(&self, look: u64, changes: Vec<Change>) {
        let mut state = self.state();
        state.answered = look;
        state.found.add(changes);
        state.trouble = None;
        drop(state);
        self.arrived.notify_one();
    }

    /// For the thread: it does not work.
    pub(super) fn complain(&self, trouble: String) {
        self.state().trouble = Some(trouble);
    }

    /// For the thread: sleeps so long, unless it is to end.
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

    fn taken(inbox: &Inbox) -> Vec<Change> {
        std::mem::take(&mut inbox.state().found).after(false)
    }

    #[test]
    fn what_is_missed_comes_first_and_once() {
        let inbox = Inbox::default();
        inbox.end_look(1, vec![change(1), Change::Gap, change(2), Change::Gap]);
        inbox.end_look(2, vec![change(3)]);
        assert_eq!(taken(&inbox), [Change::Gap, change(1), change(2), change(3)]);
        assert_eq!(taken(&inbox), []);
        assert_eq!(Found::default().after(true), [Change::Gap]);
        inbox.end_look(3, vec![change(4)]);
        inbox.restart();
        inbox.end_look(4, vec![change(5)]);
        assert_eq!(taken(&inbox), [Change::Gap, change(5)]);
    }

    #[test]
    fn what_nobody_takes_does_not_pile_up() {
        let inbox = Inbox::default();
        let some = || (0..2_500).map(change).collect::<Vec<_>>();
        (0..4).for_each(|look| inbox.end_look(look, some()));
        assert_eq!(inbox.state().found.changes.len(), MOST);
        inbox.end_look(4, vec![change(1)]);
        assert_eq!(inbox.state().found.changes.capacity(), 0);
        inbox.end_look(5, vec![change(2)]);
        assert_eq!(taken(&inbox), [Change::Gap, change(2)]);
    }

    #[tokio::test]
    async fn a_look_that_began_before_the_call_is_no_answer_to_it() {
        let inbox = Inbox::default();
        let look = inbox.begin_look();
        let wanted = inbox.next_look();
        inbox.end_look(look, vec![change(1)]);
        let waiting = inbox.found_by(wanted);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("it was answered"),
            () = tokio::task::yield_now() => {}
        }
        let look = inbox.begin_look();
        inbox.end_look(look, vec![change(2)]);
        assert_eq!(waiting.await.after(false), [change(1), change(2)]);
    }
}
