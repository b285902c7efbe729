//! A connection to whichever of the two databases it is.
#![allow(missing_docs, reason = "what diesel derives has no documentation")]

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::{MultiConnection, PgConnection, QueryResult, SqliteConnection};

use crate::error::JobError;

/// A connection to either database: what a job of [`DieselStore::read`](crate::DieselStore::read) and
/// [`write`](crate::DieselStore::write) is given.
///
/// diesel's queries run on it as on one of the two, as far as both databases know them. For what only one of them
/// knows, and for statements such as `ON CONFLICT` that diesel writes for each of them in another way, match on it and
/// use the connection inside.
#[derive(MultiConnection)]
pub enum AnyConnection {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To SQLite.
    Sqlite(SqliteConnection),
}

/// Runs one expression on the connection inside, whichever it is: for statements that both databases know and
/// `MultiBackend` does not, such as `ON CONFLICT`.
macro_rules! on_either {
    ($connection:expr, $inner:ident => $run:expr) => {
        match $connection {
            $crate::connection::AnyConnection::Postgres($inner) => $run,
            $crate::connection::AnyConnection::Sqlite($inner) => $run,
        }
    };
}
pub(crate) use on_either;

impl AnyConnection {
    /// Runs statements that count together or not at all: all of them if the answer is `Ok`, none if it is `Err`. Not
    /// to be nested, and not for reading alone: there it would make other writers wait.
    ///
    /// In PostgreSQL each statement sees what was committed before it (READ COMMITTED), so that what is read after a
    /// lock is true as long as the lock is held. SQLite takes its one write lock at the beginning: taken at the first
    /// write, after a read, it would fail where somebody else has written since.
    pub fn transaction<T>(&mut self, statements: impl FnOnce(&mut Self) -> QueryResult<T>) -> Result<T, JobError> {
        let begun = match self {
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction(connection),
            Self::Sqlite(connection) => AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"),
        };
        begun.map_err(JobError::of_nothing_stored)?;
        match statements(self) {
            Ok(value) => {
                <Self as TransactionManager<Self>>::commit_transaction(self).map(|()| value).map_err(Into::into)
            }
            Err(error) => {
                // If this fails as well, the connection is broken and known to be.
                let _ = <Self as TransactionManager<Self>>::rollback_transaction(self);
                Err(JobError::of_nothing_stored(error))
            }
        }
    }
}
