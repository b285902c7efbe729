//! What any process changes, as the triggers of the tables report it.
//!
//! A thread with a connection of its own looks several times a second; [`DieselFeed`] hands over what it has found. It
//! keeps no transaction open and takes no place in the pool.

mod inbox;
mod postgres;
mod sqlite;
mod watch;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::{Change, InvalidationFeed};
use auth_core::token::SessionId;
use auth_core::user::UserId;
use tokio::time::timeout;

use crate::feed::inbox::Inbox;
use crate::pool::Connections;
use crate::store::DieselStore;
use crate::url::DatabaseUrl;

/// How long a call waits for the database.
const PATIENCE: Duration = Duration::from_millis(950);

/// What any process changes in the database of a [`DieselStore`]: see [`changes`](DieselStore::changes).
pub struct DieselFeed {
    url: DatabaseUrl,
    statement_timeout: Duration,
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
    /// The last answer was an error, or there was none.
    has_missed: bool,
}

impl DieselStore {
    /// A feed of what any process changes in this database: this one, another replica, a command, a person with a
    /// database client.
    ///
    /// It begins with its first [`next`](InvalidationFeed::next), and has a thread and a connection of its own from then on,
    /// until it is dropped. What happens is known about a fifth of a second later; an answer holds everything that was
    /// committed before the call. A lost connection is made anew, however long that takes. On PostgreSQL it must be a
    /// connection to the server itself or through a pooler that keeps sessions: `LISTEN` does not survive another kind.
    pub fn changes(&self) -> DieselFeed {
        DieselFeed {
            url: self.url().clone(),
            statement_timeout: self.settings().statement_timeout,
            inbox: Arc::default(),
            thread: None,
            has_missed: true,
        }
    }
}

impl DieselFeed {
    /// Starts the thread, unless it runs.
    fn begin(&mut self) -> io::Result<()> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            let connections = Connections { url: self.url.clone(), statement_timeout: self.statement_timeout };
            let inbox = Arc::clone(&self.inbox);
            let thread = Builder::new().name("auth-changes".to_owned());
            self.thread = Some(thread.spawn(move || watch::watch(&inbox, &connections))?);
        }
        Ok(())
    }
}

#[async_trait]
impl InvalidationFeed for DieselFeed {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        if let Err(error) = self.begin() {
            self.has_missed = true;
            return Err(StoreError::unavailable(error));
        }
        let look = self.inbox.next_look();
        match timeout(PATIENCE, self.inbox.found_by(look)).await {
            Ok(found) => Ok(found.after(std::mem::take(&mut self.has_missed))),
            Err(_) => {
                self.has_missed = true;
                Err(StoreError::unavailable(self.inbox.trouble()))
            }
        }
    }
}

impl Drop for DieselFeed {
    /// The thread ends by itself: at once, or after the round trip it is in.
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl fmt::Debug for DieselFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DieselFeed").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Reads what a trigger reports.
///
/// What cannot be read is [`Change::Gap`]: a later release may report what this one does not know, and during an
/// update both run. It costs reading everything anew; and whoever may write into the database may do worse.
fn change(report: &str) -> Change {
    let known = match report.split_once(':') {
        Some(("s", id)) => SessionId::parse(id).map(Change::SessionEnded),
        Some(("u", number)) => number.parse().ok().map(UserId::Integer).map(Change::AccountChanged),
        Some(("x", id)) => UserId::parse(id).ok().map(Change::AccountChanged),
        _ => None,
    };
    known.unwrap_or(Change::Gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let id = SessionId::from_bytes([0xAB; 16]);
        for (report, expected) in [
            (&*format!("s:{}", "ab".repeat(16)), Change::SessionEnded(id)),
            ("u:7", Change::AccountChanged(UserId::new(7))),
            ("u:-9223372036854775808", Change::AccountChanged(UserId::new(i64::MIN))),
            (&*format!("x:{UUID}"), Change::AccountChanged(UserId::parse(UUID).unwrap())),
            ("x:a:b", Change::AccountChanged(UserId::parse("a:b").unwrap())),
            ("x:", Change::Gap),
            ("", Change::Gap),
            ("*", Change::Gap),
            ("s:", Change::Gap),
            ("s:abab", Change::Gap),
            ("u:", Change::Gap),
            ("u:9223372036854775808", Change::Gap),
            ("u:7 ", Change::Gap),
            ("key:1", Change::Gap),
            ("\u{0}\u{1F980}", Change::Gap),
        ] {
            assert_eq!(change(report), expected, "{report:?}");
        }
    }
}
