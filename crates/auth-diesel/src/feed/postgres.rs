//! The changes on PostgreSQL, received with `LISTEN`.

use auth_core::ports::Change;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Bool;
use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl};

use crate::feed::change;

/// The channel to which the triggers report.
const CHANNEL: &str = "auth_changes";

/// A listening connection.
pub(super) struct Watch {
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

impl Watch {
    /// Starts to listen.
    pub(super) fn begin(mut connection: PgConnection) -> QueryResult<Self> {
        connection.batch_execute(&format!("LISTEN {CHANNEL}"))?;
        let mut watch = Self { connection };
        match watch.ask(HAS_TRIGGERS)? {
            true => Ok(watch),
            false => Err(failure("the triggers that report changes are missing; run the migrations")),
        }
    }

    /// The changes since the last poll. The round trip shows that the server is reachable, and receives what was
    /// reported before it.
    pub(super) fn poll(&mut self) -> QueryResult<Vec<Change>> {
        if !self.ask(IS_LISTENING)? {
            let message = "the connection is no longer listening; connect directly or through a pooler in session mode";
            return Err(failure(message));
        }
        let reports = self.connection.notifications_iter();
        let reports_here = reports.filter(|report| report.as_ref().map_or(true, |report| report.channel == CHANNEL));
        reports_here.map(|report| report.map(|report| change(&report.payload))).collect()
    }

    fn ask(&mut self, question: &str) -> QueryResult<bool> {
        diesel::sql_query(question).get_result(&mut self.connection).map(|Answer { yes }| yes)
    }
}

/// The name is that of [`CHANNEL`].
const IS_LISTENING: &str =
    "SELECT EXISTS (SELECT FROM pg_listening_channels() AS name WHERE name = 'auth_changes') AS yes";

/// Without these triggers no change is reported, which looks like no change at all. The triggers for deleted sessions
/// and for `TRUNCATE` are not checked.
const HAS_TRIGGERS: &str = "SELECT count(*) = 3 AS yes FROM pg_trigger WHERE tgenabled IN ('O', 'A')
     AND (tgrelid = to_regclass('sessions') AND tgname = 'sessions_report_end'
          OR tgrelid = to_regclass('users') AND tgname IN ('users_report_change', 'users_report_deletion'))";

fn failure(message: &str) -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
}
