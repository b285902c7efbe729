//! The invalidation feed: the changes by all processes, as the triggers of the tables report them.
//!
//! A thread with a connection of its own polls several times a second, and [`DieselFeed`] returns what it has found.
//! The thread keeps no transaction open and takes no connection from the pool.

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

/// How long a call waits for an answer from the database.
const CALL_TIMEOUT: Duration = Duration::from_millis(950);

/// The changes by all processes to the database of a [`DieselStore`]; see [`changes`](DieselStore::changes).
pub struct DieselFeed {
    url: DatabaseUrl,
    statement_timeout: Duration,
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
    /// Whether the last call failed, or there was none yet.
    has_gap: bool,
}

impl DieselStore {
    /// An invalidation feed of all changes to this database: by this process, another replica, a command or a database
    /// client.
    ///
    /// The feed starts with the first call of [`next`](InvalidationFeed::next). From then on it has a thread and a
    /// connection of its own, until it is dropped. A change is reported about 200 ms after it is committed; a call
    /// returns every change that was committed before it began. A lost connection is reopened, with no limit on the
    /// number of attempts. On PostgreSQL the connection must lead to the server itself or through a pooler in session
    /// mode, because `LISTEN` depends on the session.
    pub fn changes(&self) -> DieselFeed {
        DieselFeed {
            url: self.url().clone(),
            statement_timeout: self.settings().statement_timeout,
            inbox: Arc::default(),
            thread: None,
            has_gap: true,
        }
    }
}

impl DieselFeed {
    /// Starts the thread unless it is running.
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
            self.has_gap = true;
            return Err(StoreError::unavailable(error));
        }
        let poll = self.inbox.next_poll();
        match timeout(CALL_TIMEOUT, self.inbox.found_by(poll)).await {
            Ok(found) => Ok(found.after(std::mem::take(&mut self.has_gap))),
            Err(_) => {
                self.has_gap = true;
                Err(StoreError::unavailable(self.inbox.error()))
            }
        }
    }
}

impl Drop for DieselFeed {
    /// Tells the thread to end, which it does at once or after its current round trip.
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl fmt::Debug for DieselFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DieselFeed").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Parses a report of a trigger.
///
/// A report that is not understood is [`Change::Gap`]: during an update two releases run on one database, and the later
/// one may report what this one does not know. A gap costs reading everything again; a user who can write to the
/// database could do worse.
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
    fn parses_the_reports_of_the_triggers() {
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
