//! The thread that looks.

use std::time::Duration;

use auth_core::ports::Change;
use diesel::QueryResult;
use r2d2::ManageConnection;

use crate::connection::AnyConnection;
use crate::error::in_one_line;
use crate::feed::inbox::Inbox;
use crate::feed::{postgres, sqlite};
use crate::pool::Connections;

/// How long it sleeps between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How long it sleeps at most before it tries again to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection from which changes are known, all of them since it was made.
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

    /// The changes since the last look.
    fn look(&mut self) -> QueryResult<Vec<Change>> {
        match self {
            Self::Postgres(watch) => watch.look(),
            Self::Sqlite(watch) => watch.look(),
        }
    }
}

/// Looks until the inbox is closed. Whatever fails is tried again, on another connection.
pub(super) fn watch(inbox: &Inbox, connections: &Connections) {
    let mut pause = BETWEEN_LOOKS;
    while inbox.is_open() {
        let trouble = match Watch::begin(connections) {
            Ok(watch) => {
                inbox.restart();
                pause = BETWEEN_LOOKS;
                follow(watch, inbox)
            }
            Err(trouble) => Some(trouble),
        };
        let Some(trouble) = trouble else { return };
        tracing::debug!(error = trouble, "changes in the database are not seen");
        inbox.complain(trouble);
        inbox.pause(pause);
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// Looks until something fails, or the inbox is closed.
fn follow(mut watch: Watch, inbox: &Inbox) -> Option<String> {
    while inbox.is_open() {
        let look = inbox.begin_look();
        match watch.look() {
            Ok(changes) => inbox.end_look(look, changes),
            Err(error) => return Some(in_one_line(error)),
        }
        inbox.pause(BETWEEN_LOOKS);
    }
    None
}
