//! The connection slots of a server: how many are in use, and which connection is evicted next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::phase::Phase;

/// The order in which connections are evicted, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EvictionRank {
    pub(super) phase: Phase,
    pub(super) since: Instant,
    /// Distinguishes connections that have waited equally long.
    pub(super) id: usize,
}

/// A connection that may be asked to give its slot to another.
pub(super) trait Evict: Send + Sync {
    /// Evicts the connection; returns `false` if its rank has changed in the meantime. What the client has already sent is
    /// read first, because none of many connections accepted at the same time has been read yet.
    fn evict(&self, rank: EvictionRank) -> bool;
}

/// The slots that the connections of all workers share.
#[derive(Debug)]
pub(super) struct Slots {
    /// Number of connections above which others are evicted.
    soft_limit: usize,
    /// Number of connections that are open and not closing.
    open: AtomicUsize,
    /// Evictable connections, ordered by rank. A connection moves whenever its rank changes, so finding the first one is cheap
    /// even with many connections.
    queue: Mutex<BTreeMap<EvictionRank, Weak<dyn Evict>>>,
}

impl Slots {
    /// Creates the slots of a server. A sixteenth of them is reserved for connections that are closing, which takes a moment.
    pub(super) fn new(max_connections: usize) -> Self {
        let spare = (max_connections / 16).max(1);
        let soft_limit = max_connections.saturating_sub(spare).max(1);
        Self { soft_limit, open: AtomicUsize::new(0), queue: Mutex::default() }
    }

    pub(super) const fn open(&self) -> &AtomicUsize {
        &self.open
    }

    /// Whether more connections are open than the soft limit allows, because none was evictable when others were accepted. A
    /// connection then closes once its request is answered.
    pub(super) fn is_over_soft_limit(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.soft_limit
    }

    /// Evicts one connection, unless a slot is free.
    pub(super) fn make_room(&self) {
        if self.open.load(Ordering::Relaxed) < self.soft_limit {
            return;
        }
        while let Some((rank, connection)) = self.pop_first() {
            // If the rank has changed in the meantime, the connection has put itself back into the queue.
            if connection.upgrade().is_some_and(|connection| connection.evict(rank)) {
                break;
            }
        }
    }

    /// Moves a connection from one rank to another. `None` means that it is not evictable.
    pub(super) fn change_rank(
        &self,
        before: Option<EvictionRank>,
        after: Option<EvictionRank>,
        connection: &Weak<impl Evict + 'static>,
    ) {
        if before == after {
            return;
        }
        let mut queue = self.queue();
        if let Some(rank) = before {
            queue.remove(&rank);
        }
        if let Some(rank) = after {
            queue.insert(rank, connection.clone());
        }
    }

    /// Removes the first connection from the queue, and unlocks the queue: evicting a connection changes it.
    fn pop_first(&self) -> Option<(EvictionRank, Weak<dyn Evict>)> {
        self.queue().pop_first()
    }

    fn queue(&self) -> MutexGuard<'_, BTreeMap<EvictionRank, Weak<dyn Evict>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
