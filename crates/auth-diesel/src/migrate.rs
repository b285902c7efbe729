//! The tables, brought up to date. The migrations are embedded in the program.

use std::error::Error;

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

use crate::error::{ConnectError, MigrateError, in_one_line};
use crate::pool::{AnyConnection, open};
use crate::store::DieselStore;
use crate::url::DatabaseUrl;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The advisory lock that whoever migrates a PostgreSQL holds: any number, as long as it stays the same.
const LOCK: i64 = 0x61_75_74_68_2d_64_62;

diesel::table! {
    /// Where diesel notes what it has applied.
    __diesel_schema_migrations (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}

impl DieselStore {
    /// The migrations that this program knows and the database has not seen, in their order. Changes nothing, and
    /// needs no right to.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let applied = applied_versions(connection)?;
            let known = known_migrations(connection).map_err(diesel::result::Error::QueryBuilderError)?;
            Ok(known.into_iter().filter(|(version, _)| !applied.contains(version)).map(|(_, name)| name).collect())
        })
        .await
    }

    /// Applies the pending migrations, all or none, and answers their names. Of several instances that do so at once,
    /// one works and the others wait for it and find nothing to do. Takes as long as it takes.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        let url = self.url().clone();
        let migrated = spawn_blocking(move || migrate(&url)).await;
        migrated.map_err(|error| MigrateError::Failed(error.to_string()))?
    }
}

fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, MigrateError> {
    let applied = match open(url).map_err(|error| ConnectError::unreachable(url, error))? {
        AnyConnection::Postgres(mut connection) => connection.transaction(|connection| {
            // Held until the end of the transaction.
            diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(connection)?;
            apply(connection, POSTGRES)
        }),
        AnyConnection::Sqlite(mut connection) => {
            connection.immediate_transaction(|connection| apply(connection, SQLITE))
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

/// Version and name of each migration, in their order.
fn known_migrations(connection: &AnyConnection) -> Result<Vec<(String, String)>, BoxedError> {
    match connection {
        AnyConnection::Postgres(_) => Ok(names(MigrationSource::<Pg>::migrations(&POSTGRES)?)),
        AnyConnection::Sqlite(_) => Ok(names(MigrationSource::<Sqlite>::migrations(&SQLITE)?)),
    }
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
    fn both_databases_have_the_same_migrations() {
        let postgres = names(MigrationSource::<Pg>::migrations(&POSTGRES).unwrap());
        let sqlite = names(MigrationSource::<Sqlite>::migrations(&SQLITE).unwrap());
        assert_eq!(postgres, sqlite);
        for ((version, name), number) in postgres.iter().zip(1..) {
            assert!(*version == format!("{number:04}") && name.starts_with(&format!("{version}_")), "{name}");
        }
    }
}
