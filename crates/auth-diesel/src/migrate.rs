//! Schema migrations. They are embedded in the program.

use std::error::Error;
use std::fmt;

use auth_core::StoreError;
use diesel::backend::Backend;
use diesel::connection::Connection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::task::spawn_blocking;

use crate::connection::AnyConnection;
use crate::error::{ConnectError, MigrateError, in_one_line};
use crate::pool::open;
use crate::store::DieselStore;
use crate::url::DatabaseUrl;

const BUILT_IN: AppMigrations = AppMigrations {
    postgres: embed_migrations!("../../migrations/postgres"),
    sqlite: embed_migrations!("../../migrations/sqlite"),
};

/// The PostgreSQL advisory lock that is held during a migration. An arbitrary number that must never change.
const LOCK: i64 = 0x61_75_74_68_2d_64_62;

diesel::table! {
    /// The table in which diesel records the applied migrations.
    __diesel_schema_migrations (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}

impl DieselStore {
    /// The migrations of this program that the database has not applied, in order. Only reads, and needs no more rights
    /// than that.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.pending_migrations_of(BUILT_IN).await
    }

    /// Like [`pending_migrations`](Self::pending_migrations), for the migrations of an application.
    pub async fn pending_migrations_of(&self, migrations: AppMigrations) -> Result<Vec<String>, StoreError> {
        let known = migrations.names(self.url()).map_err(StoreError::broken)?;
        self.read(move |connection| {
            let applied = applied_versions(connection)?;
            let pending = known.iter().filter(|(version, _)| !applied.contains(version));
            Ok(pending.map(|(_, name)| name.clone()).collect())
        })
        .await
    }

    /// Applies the pending migrations, all or none, and returns their names. If several processes do so at once, one
    /// applies them; the others wait for it and find nothing to do. There is no time limit.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.migrate_all(BUILT_IN).await
    }

    /// Applies an application's own migrations as [`migrate`](Self::migrate) applies the built-in ones: all or none,
    /// one process at a time, recorded in the same table. [`pending_migrations`](Self::pending_migrations) does not
    /// list them. If their tables refer to built-in tables, call [`migrate`](Self::migrate) first.
    ///
    /// diesel records only the version of a migration: the name of its directory up to the first `_`, without any `-`.
    /// The version must be unique, also among the libraries of one application; use the name of the application and a
    /// number (`blog-0001_posts`, not `blog_0001_posts`). Versions of four digits are reserved for the built-in
    /// migrations.
    ///
    /// # Errors
    /// [`MigrateError`], before anything is changed, if two migrations have the same version or one has a reserved
    /// version.
    pub async fn migrate_with(&self, migrations: AppMigrations) -> Result<Vec<String>, MigrateError> {
        let names = migrations.names(self.url()).map_err(MigrateError::Failed)?;
        ambiguous(&names).map_or(Ok(()), |fault| Err(MigrateError::Failed(fault)))?;
        self.migrate_all(migrations).await
    }

    async fn migrate_all(&self, migrations: AppMigrations) -> Result<Vec<String>, MigrateError> {
        let url = self.url().clone();
        let migrated = spawn_blocking(move || migrate(&url, migrations)).await;
        migrated.map_err(|error| MigrateError::Failed(error.to_string()))?
    }
}

/// Migrations for both databases; only those for the connected database are applied.
///
/// ```no_run
/// use auth_diesel::{AppMigrations, DieselStore, MigrateError};
/// use diesel_migrations::embed_migrations;
///
/// // Paths are relative to the Cargo.toml of the application.
/// const MIGRATIONS: AppMigrations = AppMigrations {
///     postgres: embed_migrations!("tests/contract/application_migrations/postgres"),
///     sqlite: embed_migrations!("tests/contract/application_migrations/sqlite"),
/// };
///
/// async fn migrate(store: &DieselStore) -> Result<(), MigrateError> {
///     store.migrate().await?;
///     store.migrate_with(MIGRATIONS).await?;
///     Ok(())
/// }
/// ```
pub struct AppMigrations {
    /// For PostgreSQL.
    pub postgres: EmbeddedMigrations,
    /// For SQLite.
    pub sqlite: EmbeddedMigrations,
}

impl AppMigrations {
    /// Version and name of each migration for the database of this URL, in order.
    fn names(&self, url: &DatabaseUrl) -> Result<Vec<(String, String)>, String> {
        let names = match url.is_postgres() {
            true => MigrationSource::<Pg>::migrations(&self.postgres).map(names),
            false => MigrationSource::<Sqlite>::migrations(&self.sqlite).map(names),
        };
        names.map_err(in_one_line)
    }
}

impl fmt::Debug for AppMigrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppMigrations").finish_non_exhaustive()
    }
}

/// Describes a version that is reserved or that two migrations share. `migrations` must be sorted.
fn ambiguous(migrations: &[(String, String)]) -> Option<String> {
    let is_ours = |version: &str| version.len() == 4 && version.bytes().all(|b| b.is_ascii_digit());
    let ours = migrations.iter().find(|(version, _)| is_ours(version));
    let twins = migrations.windows(2).find(|two| two[0].0 == two[1].0);
    match (ours, twins) {
        (Some((version, name)), _) => Some(format!(
            "the migration {name} has a reserved version of four digits; call it <application>-{version}_…"
        )),
        (None, Some(two)) => Some(format!(
            "the migrations {} and {} have the same version; the part before the first _ must differ",
            two[0].1, two[1].1
        )),
        (None, None) => None,
    }
}

fn migrate(url: &DatabaseUrl, migrations: AppMigrations) -> Result<Vec<String>, MigrateError> {
    let applied = match open(url).map_err(|error| ConnectError::unreachable(url, error))? {
        AnyConnection::Postgres(mut connection) => connection.transaction(|connection| {
            // Held until the end of the transaction.
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(connection)?;
            apply(connection, migrations.postgres)
        }),
        AnyConnection::Sqlite(mut connection) => {
            connection.immediate_transaction(|connection| apply(connection, migrations.sqlite))
        }
    };
    applied.map_err(|error| MigrateError::Failed(in_one_line(error)))
}

type BoxedError = Box<dyn Error + Send + Sync>;

fn apply<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    migrations: EmbeddedMigrations,
) -> Result<Vec<String>, BoxedError> {
    let pending = connection.pending_migrations(migrations)?;
    for migration in &pending {
        connection.run_migration(migration)?;
    }
    Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

fn applied_versions(connection: &mut AnyConnection) -> QueryResult<Vec<String>> {
    let question = match connection {
        AnyConnection::Postgres(_) => "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found",
        AnyConnection::Sqlite(_) => {
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations') AS found"
        }
    };
    let Found { found } = diesel::sql_query(question).get_result(connection)?;
    if !found {
        return Ok(Vec::new());
    }
    __diesel_schema_migrations::table.select(__diesel_schema_migrations::version).load(connection)
}

fn names<DB: Backend>(migrations: Vec<Box<dyn Migration<DB>>>) -> Vec<(String, String)> {
    let mut names: Vec<_> =
        migrations.iter().map(|migration| migration.name()).map(|m| (m.version().to_string(), m.to_string())).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_reserved_and_duplicate_versions() {
        let check = |migrations: &[(&str, &str)]| {
            let owned = |(version, name): &(&str, &str)| ((*version).to_owned(), (*name).to_owned());
            ambiguous(&migrations.iter().map(owned).collect::<Vec<_>>())
        };
        let posts = ("blog0001", "blog-0001_posts");
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[posts, ("blog0002", "blog-0002_likes"), ("20260101", "2026-01-01_x")]), None);
        assert!(check(&[("0001", "0001_posts")]).unwrap().contains("<application>-0001_"));
        assert!(check(&[posts, ("9999", "9999_likes")]).unwrap().contains("9999_likes"));
        let twins = check(&[posts, ("blog", "blog_1"), ("blog", "blog_2")]).unwrap();
        assert!(twins.contains("blog_1 and blog_2"), "{twins}");
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let postgres = names(MigrationSource::<Pg>::migrations(&BUILT_IN.postgres).unwrap());
        let sqlite = names(MigrationSource::<Sqlite>::migrations(&BUILT_IN.sqlite).unwrap());
        assert_eq!(postgres, sqlite);
        for ((version, name), number) in postgres.iter().zip(1..) {
            assert!(*version == format!("{number:04}") && name.starts_with(&format!("{version}_")), "{name}");
        }
    }
}
