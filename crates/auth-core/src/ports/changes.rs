//! News of what others changed.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::token::SessionId;
use crate::user::UserId;

/// Something that decides who may pass a guarded route, and that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A session was ended.
    SessionEnded(SessionId),
    /// An account was changed or deleted: its state, rights, names, or epoch, which whatever ends all its logins moves.
    AccountChanged(UserId),
    /// Changes may have been missed, such as while a connection was lost: whatever is remembered has to be read anew.
    Gap,
}

/// What any process changes in a storage: this one, another replica, a command, a person with a database client.
#[async_trait]
pub trait InvalidationFeed: Send {
    /// The changes since the last call, or since one that was dropped, in the order in which they happened. Answers
    /// within a second, also when there are none: an answer means that no older change is outstanding. The first answer
    /// of a feed, and the first one after an error, begins with [`Change::Gap`].
    ///
    /// # Errors
    /// [`StoreError`] if the storage does not answer. The next call tries again.
    async fn next(&mut self) -> Result<Vec<Change>, StoreError>;
}
