//! The database of a case.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot use its database has failed")]

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use crate::ServerOptions;
use crate::postgres::{self, TestDatabase};

/// The kind of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file.
    Sqlite,
    /// A database on the PostgreSQL server of this test process.
    Postgres,
}

impl DatabaseKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Returns the name that the names of trials contain.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static MIGRATING_PROGRAM: OnceLock<&str> = OnceLock::new();

/// Sets the program whose command `migrate` creates the tables of every [`Database::new`].
pub fn migrate_with(program: &'static str) {
    MIGRATING_PROGRAM.get_or_init(|| program);
}

/// Creates the tables of the database at this URL. Panics unless [`migrate_with`] was called.
pub fn migrate(url: &str) {
    let program = MIGRATING_PROGRAM.get().expect("a program that migrates");
    let output = ServerOptions::new("development", Some(url)).run_to_exit(program, &["migrate"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A database of one case, for any number of servers. It is removed when dropped.
#[derive(Debug)]
pub enum Database {
    /// A file in a temporary folder.
    Sqlite(TempDir),
    /// A database on the PostgreSQL server of this test process.
    Postgres(TestDatabase),
}

impl Database {
    /// Creates a SQLite database without tables; its file does not exist yet.
    pub fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().expect("a temporary folder"))
    }

    /// Creates a database. On PostgreSQL it already has its tables, because copying them is much faster than creating them;
    /// [`migrate_with`] sets how they are created.
    pub fn new(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Sqlite => Self::sqlite(),
            DatabaseKind::Postgres => Self::Postgres(postgres::copied_database(migrate)),
        }
    }

    /// Creates a database without tables.
    pub fn empty(kind: DatabaseKind) -> Self {
        match kind {
            DatabaseKind::Sqlite => Self::sqlite(),
            DatabaseKind::Postgres => Self::Postgres(postgres::fresh_database()),
        }
    }

    /// Returns whether this is a SQLite database.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Returns the options of a server with this profile on this database.
    pub fn server(&self, profile: &str) -> ServerOptions {
        ServerOptions::new(profile, Some(&self.url()))
    }

    /// Returns the value of `DATABASE_URL` for this database.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", file_in(folder).display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// Returns the PostgreSQL database. Panics on SQLite.
    pub fn postgres(&self) -> &TestDatabase {
        match self {
            Self::Postgres(database) => database,
            Self::Sqlite(_) => panic!("not a PostgreSQL database"),
        }
    }

    /// Opens a direct connection to the SQLite file. Panics on PostgreSQL.
    pub fn connection(&self) -> Connection {
        let Self::Sqlite(folder) = self else { panic!("not a SQLite database") };
        let connection = Connection::open(file_in(folder)).expect("the database");
        connection.busy_timeout(Duration::from_secs(60)).expect("a timeout");
        connection
    }

    /// Executes SQL directly on the database.
    pub fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => self.connection().execute_batch(sql).expect(sql),
            Self::Postgres(database) => drop(database.psql(sql)),
        }
    }

    /// Executes a query directly on the database; returns its first column.
    pub fn query(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Postgres(database) => database.psql(sql).lines().map(str::to_owned).collect(),
            Self::Sqlite(_) => {
                let connection = self.connection();
                let mut statement = connection.prepare(sql).expect(sql);
                let rows = statement.query_map([], |row| row.get_ref(0).map(string_of)).expect("rows");
                rows.collect::<Result<_, _>>().expect("strings")
            }
        }
    }
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("auth.sqlite3")
}

fn string_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
