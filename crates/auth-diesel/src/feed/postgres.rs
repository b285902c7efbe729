//! PostgreSQL: `LISTEN`.

use auth_core::ports::Change;
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Bool;
use diesel::{PgConnection, QueryResult, QueryableByName, RunQueryDsl};

use crate::feed::change;

/// The channel that the triggers report to.
const CHANNEL: &str = "auth_changes";

/// A connection that listens.
pub(super) struct Watch {
    connection: PgConnection,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

impl Watch {
    /// Listens from here on.
    pub(super) fn begin(mut connection: PgConnection) -> QueryResult<Self> {
        connection.batch_execute(&format!("LISTEN {CHANNEL}"))?;
        let mut watch = Self { connection };
        match watch.ask(THERE_ARE_REPORTERS)? {
            true => Ok(watch),
            false => Err(failure("the triggers that report changes are missing; the tables have to be migrated")),
        }
    }

    /// The round trip shows that the server is there. It brings with it what was reported before.
    pub(super) fn look(&mut self) -> QueryResult<Vec<Change>> {
        if !self.ask(IS_LISTENING)? {
            return Err(failure("the connection does not listen any more; is there a pooler that shares sessions?"));
        }
        let reports = self.connection.notifications_iter();
        let ours = reports.filter(|report| report.as_ref().map_or(true, |report| report.channel == CHANNEL));
        ours.map(|report| report.map(|report| change(&report.payload))).collect()
    }

    fn ask(&mut self, question: &str) -> QueryResult<bool> {
        diesel::sql_query(question).get_result(&mut self.connection).map(|Answer { yes }| yes)
    }
}

/// The name is that of [`CHANNEL`].
const IS_LISTENING: &str =
    "SELECT EXISTS (SELECT FROM pg_listening_channels() AS name WHERE name = 'auth_changes') AS yes";

/// Without them there would be silence, which is taken for good news. Those for sessions deleted by hand and for
/// `TRUNCATE` are not asked for.
const THERE_ARE_REPORTERS: &str = "SELECT count(*) = 3 AS yes FROM pg_trigger WHERE tgenabled IN ('O', 'A')
     AND (tgrelid = to_regclass('sessions') AND tgname = 'sessions_report_end'
          OR tgrelid = to_regclass('users') AND tgname IN ('users_report_change', 'users_report_deletion'))";

fn failure(message: &str) -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
}
