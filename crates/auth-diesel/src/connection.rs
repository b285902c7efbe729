//! A connection to whichever of the two databases it is.
#![allow(missing_docs, reason = "what diesel derives has no documentation")]

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::Error;
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
        self.commit_if_ok(statements)?.map_err(JobError::of_nothing_stored)
    }

    /// The same for statements that count only under conditions which some of them check: what was done before a
    /// condition turns out not to hold is undone, and the answer is the one that was given for that.
    pub(crate) fn transaction_if<T>(
        &mut self,
        statements: impl FnOnce(&mut Self) -> Result<T, Undo<T>>,
    ) -> Result<T, JobError> {
        match self.commit_if_ok(statements)? {
            Ok(answer) | Err(Undo::Answer(answer)) => Ok(answer),
            Err(Undo::Failed(error)) => Err(JobError::of_nothing_stored(error)),
        }
    }

    fn commit_if_ok<T, E>(
        &mut self,
        statements: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Result<T, E>, JobError> {
        let begun = match self {
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction(connection),
            Self::Sqlite(connection) => AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE"),
        };
        begun.map_err(JobError::of_nothing_stored)?;
        let outcome = statements(self);
        match &outcome {
            Ok(_) => <Self as TransactionManager<Self>>::commit_transaction(self)?,
            // If this fails as well, the connection is broken and known to be.
            Err(_) => drop(<Self as TransactionManager<Self>>::rollback_transaction(self)),
        }
        Ok(outcome)
    }
}

/// Why the statements of a transaction do not count.
pub(crate) enum Undo<T> {
    /// A condition does not hold. Nothing has failed: this is the answer.
    Answer(T),
    /// A statement failed.
    Failed(Error),
}

impl<T> Undo<T> {
    /// Goes on if a condition holds.
    pub(crate) fn unless(holds: bool, answer: T) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Answer(answer)) }
    }
}

impl<T> From<Error> for Undo<T> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
