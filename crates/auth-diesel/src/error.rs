//! What went wrong: what an operator reads, and what a failed statement means.

use auth_core::StoreError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

use crate::url::DatabaseUrl;

/// Why a database could not be opened: one line for the operator, without passwords.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection to be had.
    #[error("cannot open {database}: {reason}")]
    Unreachable {
        /// The URL, without its password.
        database: String,
        /// What the database, or its library, said.
        reason: String,
    },
}

impl ConnectError {
    pub(crate) fn unreachable(database: &DatabaseUrl, reason: impl ToString) -> Self {
        Self::Unreachable { database: database.to_string(), reason: in_one_line(reason) }
    }
}

/// Why the tables could not be brought up to date: one line for the operator, without passwords. What had been done is
/// undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// There is no connection to be had.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A migration, or the list of them, failed.
    #[error("cannot migrate: {0}")]
    Failed(String),
}

/// A text in one line.
pub(crate) fn in_one_line(text: impl ToString) -> String {
    text.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number that no column can hold: nothing the rules make.
pub(crate) fn out_of_range(error: std::num::TryFromIntError) -> Error {
    Error::SerializationError(error.into())
}

/// What stands in a column was not written by this release.
pub(crate) fn unreadable(what: &str) -> Error {
    Error::DeserializationError(format!("{what} that is not known here").into())
}

/// Why a job could not do what it should: what diesel said, as [`DieselStore::read`](crate::DieselStore::read) and
/// [`write`](crate::DieselStore::write) take it. What it means, and whether the job is worth another try, is theirs to
/// decide.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct JobError {
    #[source]
    pub(crate) error: Error,
    /// Whether it may have been stored all the same, because only the answer was lost.
    pub(crate) may_be_stored: bool,
}

impl JobError {
    /// The failure of something that is certainly not stored.
    pub(crate) fn of_nothing_stored(failure: impl Into<Self>) -> Self {
        Self { may_be_stored: false, ..failure.into() }
    }

    /// Whether a unique index refused the write.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self.error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let is_refusal = matches!(error, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
        let may_be_stored = Chance::after(&error) == Chance::OtherConnection && !is_refusal;
        Self { error, may_be_stored }
    }
}

/// What a failed statement says about its chances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// The connection is of no use any more; another one may be.
    OtherConnection,
    /// The database refused for now, and has undone what it began: a deadlock, a full disk, a statement that took too
    /// long. The same may work, at once or in a moment.
    Again,
    /// It will not work the next time either.
    Never,
}

impl Chance {
    /// The chance after an error.
    pub(crate) fn after(error: &Error) -> Self {
        match error {
            Error::DatabaseError(kind, information) => Self::after_database_error(kind, information.as_ref()),
            Error::BrokenTransactionManager => Self::OtherConnection,
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::after(commit_error),
            _ => Self::Never,
        }
    }

    fn after_database_error(kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> Self {
        match kind {
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Self::OtherConnection,
            // After a failover the connection may end at a standby; a new one finds the primary.
            DatabaseErrorKind::ReadOnlyTransaction => Self::OtherConnection,
            DatabaseErrorKind::SerializationFailure => Self::Again,
            DatabaseErrorKind::Unknown if is_permanent(information) => Self::Never,
            DatabaseErrorKind::Unknown => Self::Again,
            _ => Self::Never,
        }
    }
}

/// Whether an error that diesel has no kind for is a fault of this installation.
///
/// diesel does not give the SQLSTATE of PostgreSQL, and the message is in the language of the server. But a complaint
/// about the statement itself (no such table, no such column) has a position in it, and what PostgreSQL says of its
/// own state (deadlock detected, statement timeout, disk full, shutting down) has none. SQLite speaks English.
fn is_permanent(information: &dyn DatabaseErrorInformation) -> bool {
    const PERMANENT: [&str; 7] = [
        "permission denied",
        "no such ",
        "near \"",
        "database disk image is malformed",
        "file is not a database",
        "datatype mismatch",
        "cannot store ",
    ];
    let message = information.message();
    information.statement_position().is_some() || PERMANENT.iter().any(|begin| message.starts_with(begin))
}

/// The failure in the terms of `auth-core`, with all that the database said for the log of the operator.
pub(crate) fn store_error(error: Error) -> StoreError {
    let chance = Chance::after(&error);
    let source = DatabaseError { message: in_one_line(&error), source: error };
    match chance {
        Chance::OtherConnection | Chance::Again => StoreError::unavailable(source),
        Chance::Never => StoreError::broken(source),
    }
}

/// An error of the database in one line, with the original behind it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct DatabaseError {
    message: String,
    source: Error,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn unknown(message: &str) -> Error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    #[test]
    fn every_failure_has_its_chance() {
        let database = |kind| Error::DatabaseError(kind, Box::new(String::new()));
        for (error, expected) in [
            (database(DatabaseErrorKind::ClosedConnection), Chance::OtherConnection),
            (database(DatabaseErrorKind::UnableToSendCommand), Chance::OtherConnection),
            (database(DatabaseErrorKind::ReadOnlyTransaction), Chance::OtherConnection),
            (Error::BrokenTransactionManager, Chance::OtherConnection),
            (database(DatabaseErrorKind::SerializationFailure), Chance::Again),
            (unknown("deadlock detected"), Chance::Again),
            (unknown("Verklemmung entdeckt"), Chance::Again),
            (unknown("canceling statement due to statement timeout"), Chance::Again),
            (unknown("database is locked"), Chance::Again),
            (unknown("database or disk is full"), Chance::Again),
            (unknown("disk I/O error"), Chance::Again),
            (unknown("attempt to write a readonly database"), Chance::Again),
            (unknown("no such table: sessions"), Chance::Never),
            (unknown("permission denied for table sessions"), Chance::Never),
            (unknown("database disk image is malformed"), Chance::Never),
            (database(DatabaseErrorKind::UniqueViolation), Chance::Never),
            (database(DatabaseErrorKind::ForeignKeyViolation), Chance::Never),
            (database(DatabaseErrorKind::CheckViolation), Chance::Never),
            (Error::NotFound, Chance::Never),
            (Error::DeserializationError("x".into()), Chance::Never),
        ] {
            let is_unavailable = expected != Chance::Never;
            assert_eq!(Chance::after(&error), expected, "{error:?}");
            assert_eq!(matches!(store_error(error), StoreError::Unavailable(_)), is_unavailable);
        }
    }

    #[test]
    fn an_operator_reads_one_line() {
        let error = store_error(unknown("server closed the connection\n\tThis probably means\n"));
        assert_eq!(error.source().unwrap().to_string(), "server closed the connection This probably means");
    }
}
