//! Errors: the messages for operators, and what a failed statement means for a retry.

use auth_core::StoreError;
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

use crate::url::DatabaseUrl;

/// Why a database could not be opened: one line for the operator, without passwords.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No connection could be opened.
    #[error("cannot open {database}: {reason}")]
    Unreachable {
        /// The URL, without its password.
        database: String,
        /// The message of the database or its client library.
        reason: String,
    },
}

impl ConnectError {
    pub(crate) fn unreachable(database: &DatabaseUrl, reason: impl ToString) -> Self {
        Self::Unreachable { database: database.to_string(), reason: in_one_line(reason) }
    }
}

/// Why the tables could not be migrated: one line for the operator, without passwords. All changes are rolled back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// No connection could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A migration failed, or the list of migrations is not valid.
    #[error("cannot migrate: {0}")]
    Failed(String),
}

/// Joins the lines of a message into one.
pub(crate) fn in_one_line(text: impl ToString) -> String {
    text.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number that does not fit its column; the rules produce no such number.
pub(crate) fn out_of_range(error: std::num::TryFromIntError) -> Error {
    Error::SerializationError(error.into())
}

/// A column value that this release did not write.
pub(crate) fn unreadable(what: &str) -> Error {
    Error::DeserializationError(format!("the column holds {what} that this release does not know").into())
}

/// Why a job failed: the error of diesel, as [`DieselStore::read`](crate::DieselStore::read) and
/// [`write`](crate::DieselStore::write) expect it. They decide what it means and whether to retry the job.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct JobError {
    #[source]
    pub(crate) error: Error,
    /// Whether the write may have been committed although it failed, because only the response was lost.
    pub(crate) may_be_committed: bool,
}

impl JobError {
    /// An error of a job that certainly committed nothing.
    pub(crate) fn not_committed(failure: impl Into<Self>) -> Self {
        Self { may_be_committed: false, ..failure.into() }
    }

    /// Whether a unique constraint refused the write.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self.error, Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let is_refusal = matches!(error, Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _));
        let may_be_committed = Retry::after(&error) == Retry::NewConnection && !is_refusal;
        Self { error, may_be_committed }
    }
}

/// What a failed statement means for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The connection is unusable; a retry needs another one.
    NewConnection,
    /// The database refused the statement for now and rolled it back: a deadlock, a full disk, a statement timeout. The
    /// same statement may succeed later.
    Again,
    /// The statement would fail again.
    Never,
}

impl Retry {
    /// Classifies an error.
    pub(crate) fn after(error: &Error) -> Self {
        match error {
            Error::DatabaseError(kind, information) => Self::after_database_error(kind, information.as_ref()),
            Error::BrokenTransactionManager => Self::NewConnection,
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::after(commit_error),
            _ => Self::Never,
        }
    }

    fn after_database_error(kind: &DatabaseErrorKind, information: &dyn DatabaseErrorInformation) -> Self {
        match kind {
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Self::NewConnection,
            // After a failover the connection may lead to a standby; a new one reaches the primary.
            DatabaseErrorKind::ReadOnlyTransaction => Self::NewConnection,
            DatabaseErrorKind::SerializationFailure => Self::Again,
            DatabaseErrorKind::Unknown if is_permanent(information) => Self::Never,
            DatabaseErrorKind::Unknown => Self::Again,
            _ => Self::Never,
        }
    }
}

/// Whether an error without a kind of its own in diesel is a permanent fault of this deployment.
///
/// diesel does not expose the SQLSTATE of PostgreSQL, and the message is in the language of the server. But an error in
/// the statement itself (no such table, no such column) has a statement position, and an error about the state of the
/// server (deadlock detected, statement timeout, disk full, shutting down) has none. SQLite's messages are always in
/// English.
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

/// The error as a [`StoreError`], with the full message of the database for the log.
pub(crate) fn store_error(error: Error) -> StoreError {
    let retry = Retry::after(&error);
    let source = DatabaseError { message: in_one_line(&error), source: error };
    match retry {
        Retry::NewConnection | Retry::Again => StoreError::unavailable(source),
        Retry::Never => StoreError::broken(source),
    }
}

/// A database error with its message in one line, and the original as its source.
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
    fn classifies_errors_by_whether_a_retry_can_succeed() {
        let database = |kind| Error::DatabaseError(kind, Box::new(String::new()));
        for (error, expected) in [
            (database(DatabaseErrorKind::ClosedConnection), Retry::NewConnection),
            (database(DatabaseErrorKind::UnableToSendCommand), Retry::NewConnection),
            (database(DatabaseErrorKind::ReadOnlyTransaction), Retry::NewConnection),
            (Error::BrokenTransactionManager, Retry::NewConnection),
            (database(DatabaseErrorKind::SerializationFailure), Retry::Again),
            (unknown("deadlock detected"), Retry::Again),
            (unknown("Verklemmung entdeckt"), Retry::Again),
            (unknown("canceling statement due to statement timeout"), Retry::Again),
            (unknown("database is locked"), Retry::Again),
            (unknown("database or disk is full"), Retry::Again),
            (unknown("disk I/O error"), Retry::Again),
            (unknown("attempt to write a readonly database"), Retry::Again),
            (unknown("no such table: sessions"), Retry::Never),
            (unknown("permission denied for table sessions"), Retry::Never),
            (unknown("database disk image is malformed"), Retry::Never),
            (database(DatabaseErrorKind::UniqueViolation), Retry::Never),
            (database(DatabaseErrorKind::ForeignKeyViolation), Retry::Never),
            (database(DatabaseErrorKind::CheckViolation), Retry::Never),
            (Error::NotFound, Retry::Never),
            (Error::DeserializationError("x".into()), Retry::Never),
        ] {
            let is_unavailable = expected != Retry::Never;
            assert_eq!(Retry::after(&error), expected, "{error:?}");
            assert_eq!(matches!(store_error(error), StoreError::Unavailable(_)), is_unavailable);
        }
    }

    #[test]
    fn joins_the_lines_of_a_database_message() {
        let error = store_error(unknown("server closed the connection\n\tThis probably means\n"));
        assert_eq!(error.source().unwrap().to_string(), "server closed the connection This probably means");
    }
}
