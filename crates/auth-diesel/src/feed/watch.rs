//! The thread that polls.

use std::time::Duration;

use auth_core::ports::Change;
use diesel::QueryResult;
use r2d2::ManageConnection;

use crate::connection::AnyConnection;
use crate::error::in_one_line;
use crate::feed::inbox::Inbox;
use crate::feed::{postgres, sqlite};
use crate::pool::Connections;

/// How long the thread sleeps between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The longest delay before the thread connects again.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// A connection that sees all changes since it was opened.
enum Watch {
    Postgres(postgres::Watch),
    Sqlite(sqlite::Watch),
}

impl Watch {
    fn begin(connections: &Connections) -> Result<Self, String> {
        let begun = match connections.connect().map_err(in_one_line)?.connection {
            AnyConnection::Postgres(connection) => postgres::Watch::begin(connection).map(Self::Postgres),
            AnyConnection::Sqlite(connection) => sqlite::Watch::begin(connection).map(Self::Sqlite),
        };
        begun.map_err(in_one_line)
    }

    /// The changes since the last poll.
    fn poll(&mut self) -> QueryResult<Vec<Change>> {
        match self {
            Self::Postgres(watch) => watch.poll(),
            Self::Sqlite(watch) => watch.poll(),
        }
    }
}

/// Polls until the inbox is closed. After an error it continues on another connection.
pub(super) fn watch(inbox: &Inbox, connections: &Connections) {
    let mut pause = POLL_INTERVAL;
    while inbox.is_open() {
        let error = match Watch::begin(connections) {
            Ok(watch) => {
                inbox.restart();
                pause = POLL_INTERVAL;
                follow(watch, inbox)
            }
            Err(error) => Some(error),
        };
        let Some(error) = error else { return };
        tracing::debug!(error = error, "invalidation feed cannot read changes; reconnecting");
        inbox.report_error(error);
        inbox.pause(pause);
        pause = MAX_RECONNECT_DELAY.min(2 * pause);
    }
}

/// Polls until a poll fails or the inbox is closed. Returns the error, if one ended it.
fn follow(mut watch: Watch, inbox: &Inbox) -> Option<String> {
    while inbox.is_open() {
        let poll = inbox.begin_poll();
        match watch.poll() {
            Ok(changes) => inbox.end_poll(poll, changes),
            Err(error) => return Some(in_one_line(error)),
        }
        inbox.pause(POLL_INTERVAL);
    }
    None
}
