//! The changes on SQLite: the table `changes`, read when another connection has committed.

use auth_core::ports::Change;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::{QueryResult, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::feed::change;

/// A connection, and the last change that it has read.
pub(super) struct Watch {
    connection: SqliteConnection,
    /// `PRAGMA data_version`, which differs after another connection has committed.
    version: i32,
    last: i64,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    data_version: i32,
}

/// A change, or, without `what`, the last sequence number that was assigned.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Nullable<Text>)]
    what: Option<String>,
}

impl Watch {
    /// Starts after the last change.
    pub(super) fn begin(mut connection: SqliteConnection) -> QueryResult<Self> {
        // In WAL mode a reader rarely waits for a lock. The waiting call times out after about a second.
        connection.batch_execute("PRAGMA busy_timeout = 500")?;
        let version = version(&mut connection)?;
        let (last, _) = after(i64::MAX, &mut connection)?;
        Ok(Self { connection, version, last })
    }

    pub(super) fn poll(&mut self) -> QueryResult<Vec<Change>> {
        // Read before the changes: a commit after it is seen by the next poll.
        let version = version(&mut self.connection)?;
        if version == self.version {
            return Ok(Vec::new());
        }
        let (last, changes) = after(self.last, &mut self.connection)?;
        // Fewer changes than assigned numbers: some were deleted already. A lower number: the file was restored from a
        // backup.
        let is_whole = last.checked_sub(self.last).is_some_and(|given| usize::try_from(given) == Ok(changes.len()));
        (self.version, self.last) = (version, last);
        let missed = (!is_whole).then_some(Change::Gap);
        Ok(missed.into_iter().chain(changes).collect())
    }
}

fn version(connection: &mut SqliteConnection) -> QueryResult<i32> {
    diesel::sql_query("PRAGMA data_version").get_result(connection).map(|Version { data_version }| data_version)
}

/// The last sequence number that was assigned, and the changes after `number`; both from one snapshot.
fn after(number: i64, connection: &mut SqliteConnection) -> QueryResult<(i64, Vec<Change>)> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT seq, what FROM changes WHERE seq > ?
         UNION ALL SELECT seq, NULL FROM sqlite_sequence WHERE name = 'changes' ORDER BY 1",
    )
    .bind::<BigInt, _>(number)
    .load(connection)?;
    let last = rows.iter().find(|row| row.what.is_none()).map_or(0, |row| row.seq);
    Ok((last, rows.iter().filter_map(|row| row.what.as_deref()).map(change).collect()))
}
