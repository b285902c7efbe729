//! The places of a server: how many are taken, and which connection leaves its own to another one next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::state::{Phase, State};

/// When it is the turn of a connection to give way: the least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) phase: Phase,
    pub(super) since: Instant,
    /// Tells connections apart that have waited equally long.
    pub(super) id: usize,
}

/// What the connections of all workers of a server share.
#[derive(Debug)]
pub(super) struct Places {
    /// How many connections are kept open.
    comfortable: usize,
    /// How many are open and not closing.
    open: AtomicUsize,
    /// Those that may give way, kept in order: a connection moves whenever its turn changes, so that to find the first one
    /// costs the same however many there are.
    queue: Mutex<BTreeMap<Turn, Weak<State>>>,
}

impl Places {
    /// A sixteenth is left for connections that were asked to close, which takes a moment.
    pub(super) fn new(max_connections: usize) -> Self {
        let spare = (max_connections / 16).max(1);
        let comfortable = max_connections.saturating_sub(spare).max(1);
        Self { comfortable, open: AtomicUsize::new(0), queue: Mutex::default() }
    }

    pub(super) const fn open(&self) -> &AtomicUsize {
        &self.open
    }

    /// Whether a connection should close once its request is answered: there are more than there should be, because each had
    /// a handler at work when others came.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.comfortable
    }

    /// Asks a connection to close, unless there is still room for one more.
    pub(super) fn make_room(&self) {
        if self.open.load(Ordering::Relaxed) < self.comfortable {
            return;
        }
        while let Some((turn, state)) = self.take_first() {
            // Otherwise the connection has just moved on, and is in the queue again if it may give way.
            if state.upgrade().is_some_and(|state| state.give_way(turn)) {
                break;
            }
        }
    }

    /// Changes the turn of a connection. `None` if it does not give way.
    pub(super) fn change_turn(&self, before: Option<Turn>, after: Option<Turn>, state: &Weak<State>) {
        if before == after {
            return;
        }
        let mut queue = self.queue();
        if let Some(turn) = before {
            queue.remove(&turn);
        }
        if let Some(turn) = after {
            queue.insert(turn, state.clone());
        }
    }

    /// Takes the first connection out of the queue, and releases the queue: to ask a connection changes it.
    fn take_first(&self) -> Option<(Turn, Weak<State>)> {
        self.queue().pop_first()
    }

    fn queue(&self) -> MutexGuard<'_, BTreeMap<Turn, Weak<State>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
