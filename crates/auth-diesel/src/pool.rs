//! How connections are opened and checked.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::connection::{Connection, SimpleConnection};
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::{Nullable, Text};
use diesel::{ConnectionError, PgConnection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection};

use crate::connection::AnyConnection;
use crate::error::in_one_line;
use crate::url::{DatabaseUrl, Location, PostgresUrl};

/// How long SQLite waits for another process to finish its write.
pub(crate) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_millis(5_000);

/// How long PostgreSQL lets one of our transactions be idle, with its locks held, before it closes the connection.
const IDLE_IN_TRANSACTION: &str = "10s";

impl AnyConnection {
    /// Whether the server has not closed the connection, as far as the client knows; makes no round trip. Checks twice:
    /// the first check may read the server's last message, and only the second finds the end of the stream.
    fn is_open(&mut self) -> bool {
        match self {
            Self::Postgres(connection) => (0..2).all(|_| connection.notifications_iter().all(|found| found.is_ok())),
            Self::Sqlite(_) => true,
        }
    }
}

/// Opens the database without the time limits of calls: for migrations.
pub(crate) fn open(url: &DatabaseUrl) -> Result<AnyConnection, OpenError> {
    match &url.0 {
        Location::Postgres(url) => Ok(AnyConnection::Postgres(PgConnection::establish(&url.for_libpq())?)),
        Location::Sqlite(path) => open_sqlite(path).map(AnyConnection::Sqlite),
    }
}

fn open_sqlite(path: &Path) -> Result<SqliteConnection, OpenError> {
    create_private_file(path)?;
    // SQLite would interpret some relative names, such as "file:…"; with a directory in front it does not.
    let path = if path.is_relative() { PathBuf::from(".").join(path) } else { path.to_owned() };
    let path = path.to_str().ok_or_else(|| OpenError("the path is not UTF-8".to_owned()))?;
    let mut connection = SqliteConnection::establish(path)?;
    connection.batch_execute(
        "PRAGMA busy_timeout = 5000; -- SQLITE_BUSY_TIMEOUT
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;",
    )?;
    enable_wal(&mut connection)?;
    Ok(connection)
}

/// Sets the journal mode, which is stored in the file. SQLite does not apply the busy timeout when several connections
/// set it on a new file at once: it refuses all but one, so the others poll here.
fn enable_wal(connection: &mut SqliteConnection) -> QueryResult<()> {
    let deadline = Instant::now() + SQLITE_BUSY_TIMEOUT;
    loop {
        match connection.batch_execute("PRAGMA journal_mode = WAL") {
            Err(error) if error.to_string() == "database is locked" && Instant::now() < deadline => {
                sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// Creates the database file, readable by its owner only, if it does not exist. SQLite gives the `-wal` and `-shm`
/// files the same permissions.
fn create_private_file(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(OpenError(error.to_string())),
        _ => Ok(()),
    }
}

/// Why a connection could not be opened: one line, without passwords.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OpenError(String);

impl From<ConnectionError> for OpenError {
    fn from(error: ConnectionError) -> Self {
        Self(in_one_line(error))
    }
}

impl From<diesel::result::Error> for OpenError {
    fn from(error: diesel::result::Error) -> Self {
        Self(in_one_line(error))
    }
}

/// Opens and checks the connections of a pool.
pub(crate) struct Connections {
    pub(crate) url: DatabaseUrl,
    pub(crate) statement_timeout: Duration,
}

/// A connection in a pool.
pub(crate) struct Pooled {
    pub(crate) connection: AnyConnection,
    /// Set after an error that makes the connection unusable.
    pub(crate) is_unusable: bool,
}

impl r2d2::ManageConnection for Connections {
    type Connection = Pooled;
    type Error = OpenError;

    fn connect(&self) -> Result<Pooled, OpenError> {
        let mut connection = open(&self.url)?;
        if let (AnyConnection::Postgres(connection), Location::Postgres(url)) = (&mut connection, &self.url.0) {
            set_up_postgres(connection, url, self.statement_timeout)?;
        }
        Ok(Pooled { connection, is_unusable: false })
    }

    /// Called when a connection is taken from the pool.
    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), OpenError> {
        if pooled.connection.is_open() { Ok(()) } else { Err(OpenError("the server closed the connection".to_owned())) }
    }

    /// Called when a connection is returned to the pool.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || pooled.is_unusable || pooled.connection.is_broken()
    }
}

#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    server_encoding: String,
}

/// Limits the time of each statement, unless the URL does, and makes a committed write durable where the server has
/// `synchronous_commit` off. A stricter setting, such as a synchronous standby, is kept.
fn set_up_postgres(connection: &mut PgConnection, url: &PostgresUrl, timeout: Duration) -> Result<(), OpenError> {
    let timeout = (!url.sets("statement_timeout")).then(|| format!("{}ms", timeout.as_millis().max(1)));
    let encoding: Encoding = diesel::sql_query(
        "SELECT set_config('statement_timeout', coalesce($1, current_setting('statement_timeout')), false),
                set_config('idle_in_transaction_session_timeout', $2, false),
                set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'),
                           false),
                current_setting('server_encoding') AS server_encoding",
    )
    .bind::<Nullable<Text>, _>(timeout)
    .bind::<Text, _>(IDLE_IN_TRANSACTION)
    .get_result(connection)?;
    match encoding.server_encoding.as_str() {
        "UTF8" => Ok(()),
        other => Err(OpenError(format!("the database has the encoding {other}; it must be UTF8"))),
    }
}
