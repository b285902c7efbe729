//! The invalidation feed.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::token::SessionId;
use crate::user::UserId;

/// A change event: a change to a session or an account that can affect who may call a guarded route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A session was revoked or deleted.
    SessionEnded(SessionId),
    /// An account was deleted, or its state, rights, names or token epoch changed. The token epoch advances whenever
    /// all sessions of the account are revoked.
    AccountChanged(UserId),
    /// Change events may have been lost, for example with a connection: the auth cache must be cleared.
    Gap,
}

/// The change events of one storage, from any source: this process, another replica, a command, or an operator with
/// a database client.
#[async_trait]
pub trait InvalidationFeed: Send {
    /// The changes since the last call that returned, in the order in which they happened.
    ///
    /// Returns within one second, with an empty list if there are none: a result means that no older change is
    /// outstanding. The first result of a feed, and the first one after an error, begins with [`Change::Gap`]. A call
    /// that is dropped loses no change.
    ///
    /// # Errors
    /// [`StoreError`] if the storage is unavailable. The next call tries again.
    async fn next(&mut self) -> Result<Vec<Change>, StoreError>;
}
