//! Test databases, and access to them that bypasses the store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;

use auth_accounts::ports::Accounts;
use auth_conformance::{at, hash_of, new_user, session_id, session_of};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::Sessions;
use auth_core::token::Session;
use auth_core::user::User;
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};
use auth_tests::postgres::{self, TestDatabase};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// A database that is deleted when this value is dropped.
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(TestDatabase),
}

impl Database {
    /// A migrated database without rows, copied from a template.
    pub(crate) fn migrated(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                static TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
                    let template = Database::empty(Kind::Sqlite);
                    migrate(&template.url());
                    std::fs::read(template.path()).unwrap()
                });
                let database = Self::empty(kind);
                std::fs::write(database.path(), &*TEMPLATE).unwrap();
                database
            }
            Kind::Postgres => {
                Self::Postgres(postgres::copied_database(|url| migrate(&DatabaseUrl::parse(url).unwrap())))
            }
        }
    }

    /// As [`migrated`](Self::migrated), for trials that use only the ports.
    pub(crate) fn reused(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::migrated(kind),
            Kind::Postgres => {
                Self::Postgres(postgres::reused_database(|url| migrate(&DatabaseUrl::parse(url).unwrap())))
            }
        }
    }

    /// A database without tables.
    pub(crate) fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Kind::Postgres => Self::Postgres(postgres::fresh_database()),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Sqlite(directory) => directory.path().join("auth.sqlite3"),
            Self::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&match self {
            Self::Sqlite(_) => format!("sqlite://{}", self.path().display()),
            Self::Postgres(database) => database.url().to_owned(),
        })
        .unwrap()
    }

    /// The URL with its password, if it has one.
    pub(crate) fn postgres_url(&self) -> &str {
        match self {
            Self::Sqlite(_) => panic!("this is SQLite"),
            Self::Postgres(database) => database.url(),
        }
    }

    /// The name of a PostgreSQL database.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Sqlite(_) => panic!("this is SQLite"),
            Self::Postgres(database) => database.name(),
        }
    }

    /// A new store with its own connection pool, as another process would have.
    pub(crate) async fn store(&self, settings: PoolSettings) -> DieselStore {
        DieselStore::connect(&self.url(), settings).await.unwrap()
    }

    /// Runs SQL that bypasses the store; returns the first column of each row.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(_) => {
                let mut connection = self.sqlite();
                let rows: Vec<TextRow> = diesel::sql_query(sql).load(&mut connection).unwrap();
                rows.into_iter().map(|row| row.value).collect()
            }
            Self::Postgres(database) => database.psql(sql).lines().map(ToOwned::to_owned).collect(),
        }
    }

    pub(crate) fn sqlite(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path().to_str().unwrap()).unwrap()
    }

    pub(crate) fn postgres(&self) -> PgConnection {
        PgConnection::establish(self.postgres_url()).unwrap()
    }

    /// The number of rows in each table.
    pub(crate) fn count_rows(&self) -> BTreeMap<String, i64> {
        let tables = match self {
            Self::Sqlite(_) => "SELECT name AS value FROM sqlite_schema WHERE type = 'table'",
            Self::Postgres(_) => "SELECT tablename AS value FROM pg_tables WHERE schemaname = 'public'",
        };
        let tables = self.query(tables);
        let count = |table: String| {
            let rows = self.query(&format!("SELECT CAST(count(*) AS text) AS value FROM {table}"));
            (table, rows[0].parse().unwrap())
        };
        tables.into_iter().map(count).collect()
    }
}

/// Migrates a database and closes all connections; on SQLite the database is then a single file.
fn migrate(url: &DatabaseUrl) {
    let url = url.clone();
    let migrate = async move {
        let store = DieselStore::connect(&url, PoolSettings::default()).await.unwrap();
        store.migrate().await.unwrap();
    };
    // On a thread of its own: a runtime cannot block on another one.
    std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(migrate)).join().unwrap();
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
pub(crate) struct Number {
    #[diesel(sql_type = BigInt)]
    pub(crate) value: i64,
}

/// Creates an account and starts a session for it.
pub(crate) async fn user_and_session(store: &DieselStore) -> (User, Session) {
    let user = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    let session = session_of(&user.id, session_id(1), at(0));
    assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
    (user, session)
}

pub(crate) fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}
