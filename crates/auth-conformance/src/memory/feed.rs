//! Invalidation feeds in memory.

use std::mem::take;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::{Change, InvalidationFeed};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::timeout;

/// How many changes a feed buffers. Beyond that, the oldest are dropped and reported as a gap.
const CAPACITY: usize = 10_000;
/// How long a call waits for a change before it returns none.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Sends every change to all feeds.
#[derive(Debug)]
pub(super) struct Feeds(Sender<Change>);

impl Default for Feeds {
    fn default() -> Self {
        Self(Sender::new(CAPACITY))
    }
}

impl Feeds {
    pub(super) fn report(&self, change: Change) {
        // An error only means that there are no feeds.
        let _ = self.0.send(change);
    }

    pub(super) fn feed(&self) -> MemoryFeed {
        MemoryFeed { receiver: self.0.subscribe(), is_new: true }
    }
}

/// An invalidation feed of a [`MemoryStore`](crate::MemoryStore).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{MemoryStore, hash_of, new_user};
/// use auth_accounts::ports::Accounts;
/// use auth_core::effects::Effects;
/// use auth_core::ports::{Change, InvalidationFeed};
/// let store = MemoryStore::default();
/// let mut feed = store.changes();
/// assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
/// let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
/// store.set_active(&alice.id, false, &Effects::NONE).await.unwrap();
/// assert_eq!(feed.next().await.unwrap(), [Change::AccountChanged(alice.id)]);
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryFeed {
    receiver: Receiver<Change>,
    is_new: bool,
}

impl MemoryFeed {
    /// The changes that were reported since the last call.
    fn pending(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        loop {
            match self.receiver.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Lagged(_)) => changes.insert(0, Change::Gap),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return changes,
            }
        }
    }
}

#[async_trait]
impl InvalidationFeed for MemoryFeed {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        let mut changes: Vec<_> = take(&mut self.is_new).then_some(Change::Gap).into_iter().collect();
        changes.extend(self.pending());
        if changes.is_empty() {
            match timeout(HEARTBEAT, self.receiver.recv()).await {
                Ok(Ok(change)) => changes.push(change),
                Ok(Err(RecvError::Lagged(_))) => changes.push(Change::Gap),
                Ok(Err(RecvError::Closed)) => return Err(StoreError::unavailable("the store was dropped")),
                Err(_) => {}
            }
            changes.extend(self.pending());
        }
        Ok(changes)
    }
}
