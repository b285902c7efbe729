//! What changes in the store, told to whoever follows.

use std::mem::take;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::{Change, InvalidationFeed};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::timeout;

/// How many changes wait for a feed. Of more, the oldest are missed.
const MOST: usize = 10_000;
/// How long a feed waits for one.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Tells all feeds.
#[derive(Debug)]
pub(super) struct News(Sender<Change>);

impl Default for News {
    fn default() -> Self {
        Self(Sender::new(MOST))
    }
}

impl News {
    pub(super) fn report(&self, change: Change) {
        // An error says that nobody follows.
        let _ = self.0.send(change);
    }

    pub(super) fn feed(&self) -> MemoryFeed {
        MemoryFeed { news: self.0.subscribe(), is_new: true }
    }
}

/// A feed of what changes in a [`MemoryStore`](crate::MemoryStore).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{MemoryStore, hash_of, new_user};
/// use auth_accounts::ports::Accounts;
/// use auth_core::ports::{Change, InvalidationFeed};
/// let store = MemoryStore::default();
/// let mut feed = store.changes();
/// assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
/// let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
/// store.set_active(&alice.id, false).await.unwrap();
/// assert_eq!(feed.next().await.unwrap(), [Change::AccountChanged(alice.id)]);
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryFeed {
    news: Receiver<Change>,
    is_new: bool,
}

impl MemoryFeed {
    /// What has been reported and not been taken.
    fn waiting(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        loop {
            match self.news.try_recv() {
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
        changes.extend(self.waiting());
        if changes.is_empty() {
            match timeout(HEARTBEAT, self.news.recv()).await {
                Ok(Ok(change)) => changes.push(change),
                Ok(Err(RecvError::Lagged(_))) => changes.push(Change::Gap),
                Ok(Err(RecvError::Closed)) => return Err(StoreError::unavailable("the store is gone")),
                Err(_) => {}
            }
            changes.extend(self.waiting());
        }
        Ok(changes)
    }
}
