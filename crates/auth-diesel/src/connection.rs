//! A connection to either of the two databases.
#![allow(missing_docs, reason = "the items that diesel derives have no documentation")]

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::Error;
use diesel::{MultiConnection, PgConnection, QueryResult, SqliteConnection};

use crate::error::JobError;

/// A connection to either database, passed to the jobs of [`DieselStore::read`](crate::DieselStore::read) and
/// [`write`](crate::DieselStore::write).
///
/// diesel's queries run on it as they do on the connection of one database, as long as both databases support them. For
/// anything that only one supports, and for statements such as `ON CONFLICT` that diesel builds differently for each,
/// match on the connection and use the inner one.
#[derive(MultiConnection)]
pub enum AnyConnection {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To SQLite.
    Sqlite(SqliteConnection),
}

/// Runs one expression on the inner connection: for statements that both databases support and `MultiBackend` does not,
/// such as `ON CONFLICT`.
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
    /// Runs statements in a transaction: commits all of them if the result is `Ok`, rolls all of them back if it is
    /// `Err`. Must not be nested. Do not use it for reads alone: it would make other writers wait.
    ///
    /// In PostgreSQL each statement sees what was committed before it (READ COMMITTED), so a row that is read after it
    /// was locked stays as read until the lock is released. In SQLite the transaction takes the one write lock at its
    /// start (`BEGIN IMMEDIATE`): taking it at the first write, after a read, would fail if another connection has
    /// written in between.
    pub fn transaction<T>(&mut self, statements: impl FnOnce(&mut Self) -> QueryResult<T>) -> Result<T, JobError> {
        self.commit_if_ok(statements)?.map_err(JobError::not_committed)
    }

    /// Like [`transaction`](Self::transaction), for statements that depend on conditions which some of them check. If a
    /// condition does not hold, the transaction is rolled back and the result is the value passed for that condition.
    pub(crate) fn transaction_if<T>(
        &mut self,
        statements: impl FnOnce(&mut Self) -> Result<T, Undo<T>>,
    ) -> Result<T, JobError> {
        match self.commit_if_ok(statements)? {
            Ok(answer) | Err(Undo::Answer(answer)) => Ok(answer),
            Err(Undo::Failed(error)) => Err(JobError::not_committed(error)),
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
        begun.map_err(JobError::not_committed)?;
        let outcome = statements(self);
        match &outcome {
            Ok(_) => <Self as TransactionManager<Self>>::commit_transaction(self)?,
            // If the rollback fails too, diesel marks the connection as broken.
            Err(_) => drop(<Self as TransactionManager<Self>>::rollback_transaction(self)),
        }
        Ok(outcome)
    }
}

/// Why a transaction is rolled back.
pub(crate) enum Undo<T> {
    /// A condition does not hold. This is not a failure but the result of the call.
    Answer(T),
    /// A statement failed.
    Failed(Error),
}

impl<T> Undo<T> {
    /// Continues if a condition holds.
    pub(crate) fn unless(holds: bool, answer: T) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Answer(answer)) }
    }
}

impl<T> From<Error> for Undo<T> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
