//! Migrations.

use std::sync::Arc;

use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};
use diesel::Connection;
use diesel::backend::Backend;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use libtest_mimic::Trial;

use crate::database::{Database, Kind};
use crate::{on, on_empty};

const ALL: [&str; 14] = [
    "0001_accounts",
    "0002_sessions",
    "0003_blacklist",
    "0004_groups",
    "0005_changes",
    "0006_one_time_codes",
    "0007_second_factors",
    "0008_login_attempts",
    "0009_outbox",
    "0010_outbox_priority",
    "0011_security_stamp",
    "0012_second_factor_changes",
    "0013_first_factor",
    "0014_authentication_time",
];

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    let mut trials = vec![
        on_empty(kind, "pending_migrations_are_known_and_applied_once", pending_migrations_are_known_and_applied_once),
        on_empty(kind, "instances_that_start_at_once_migrate_once", instances_that_start_at_once_migrate_once),
        on_empty(kind, "each_migration_can_be_taken_back", each_migration_can_be_taken_back),
    ];
    if kind == Kind::Postgres {
        trials.push(on(kind, "who_may_not_migrate_may_ask", who_may_not_migrate_may_ask));
        trials.push(on(kind, "what_cannot_be_opened_is_one_line", what_cannot_be_opened_is_one_line));
        trials.push(on(kind, "another_encoding_is_refused", another_encoding_is_refused));
    }
    trials
}

async fn pending_migrations_are_known_and_applied_once(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    assert_eq!(store.pending_migrations().await.unwrap(), ALL);
    assert_eq!(database.count_rows().len(), 0, "asking has changed something");
    assert_eq!(store.migrate().await.unwrap(), ALL);
    assert!(store.pending_migrations().await.unwrap().is_empty());
    assert!(store.migrate().await.unwrap().is_empty());
}

async fn instances_that_start_at_once_migrate_once(database: Arc<Database>) {
    let start = || async {
        let store = database.store(PoolSettings { size: 2, ..PoolSettings::default() }).await;
        let applied = store.migrate().await.unwrap();
        assert!(store.pending_migrations().await.unwrap().is_empty());
        applied.len()
    };
    let (a, b, c, d) = tokio::join!(start(), start(), start(), start());
    assert_eq!([a, b, c, d].iter().sum::<usize>(), ALL.len());
}

async fn each_migration_can_be_taken_back(database: Arc<Database>) {
    let folder = |kind| FileBasedMigrations::from_path(format!("../../migrations/{kind}")).unwrap();
    match &*database {
        Database::Sqlite(_) => there_and_back(&mut database.sqlite(), folder(Kind::Sqlite), &database),
        Database::Postgres(_) => there_and_back(&mut database.postgres(), folder(Kind::Postgres), &database),
    }
}

fn there_and_back<DB: Backend>(
    connection: &mut (impl MigrationHarness<DB> + Connection),
    migrations: FileBasedMigrations,
    database: &Database,
) {
    assert!(connection.has_pending_migration(migrations.clone()).unwrap()); // Makes the table of migrations.
    for _ in ALL {
        let before = everything_in(database);
        connection.run_next_migration(migrations.clone()).unwrap();
        let after = everything_in(database);
        assert_ne!(after, before);
        connection.revert_last_migration(migrations.clone()).unwrap();
        assert_eq!(everything_in(database), before);
        connection.run_next_migration(migrations.clone()).unwrap();
        assert_eq!(everything_in(database), after);
    }
    assert!(!connection.has_pending_migration(migrations).unwrap());
}

/// The tables, columns, indexes, constraints, triggers and functions.
fn everything_in(database: &Database) -> Vec<String> {
    let question = match database {
        Database::Sqlite(_) => {
            "SELECT name || coalesce(sql, '') AS value FROM sqlite_schema
             WHERE name <> 'sqlite_sequence' ORDER BY 1"
        }
        Database::Postgres(_) => {
            "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable
             FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
                       WHERE connamespace = 'public'::regnamespace
             UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
             UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             UNION ALL SELECT relname || ' ' || relkind::text || coalesce(reloptions::text, '') FROM pg_class
                       WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        }
    };
    database.query(question)
}

/// A service may run as a user without the right to change tables.
async fn who_may_not_migrate_may_ask(database: Arc<Database>) {
    if std::env::var_os(auth_tests::postgres::URL_VARIABLE).is_some() {
        return; // Whom that server lets in is not ours to know.
    }
    drop(database.store(PoolSettings::default()).await);
    let name = format!("guest_of_{}", database.name());
    database.query(&format!("CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"));
    let url = DatabaseUrl::parse(&database.postgres_url().replace("postgres@", &format!("{name}@"))).unwrap();
    let guest = DieselStore::connect(&url, PoolSettings { size: 1, ..PoolSettings::default() }).await.unwrap();
    assert!(guest.pending_migrations().await.unwrap().is_empty());
    drop(guest);
    database.query(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
}

async fn another_encoding_is_refused(database: Arc<Database>) {
    let name = format!("{}_ascii", database.name());
    database.query(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'"));
    let url = DatabaseUrl::parse(&beside(&database, "ascii")).unwrap();
    let error = DieselStore::connect(&url, PoolSettings::default()).await.unwrap_err().to_string();
    database.query(&format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(error.contains("encoding SQL_ASCII"), "{error}");
}

async fn what_cannot_be_opened_is_one_line(database: Arc<Database>) {
    let missing = beside(&database, "missing");
    for (url, expected) in [
        ("postgres://auth:hunter2@127.0.0.1:1/auth", "refused"),
        ("postgres://auth:hunter2@host.invalid/auth", "host.invalid"),
        ("postgres://auth:hunter2@127.0.0.1:1/auth?sslmode=perhaps", "sslmode"),
        ("postgres://auth:hunter2@127.0.0.1:1/auth?nonsense=1", "nonsense"),
        ("postgres://auth@127.0.0.1:1/auth?password=hunter2&password=hunter2=", "password"),
        (&missing, "does not exist"),
    ] {
        let url = DatabaseUrl::parse(url).unwrap();
        let error = DieselStore::connect(&url, PoolSettings::default()).await.unwrap_err();
        let lines = format!("{error} {error:?}");
        assert!(lines.contains(expected), "{lines}");
        assert!(!lines.contains("hunter2") && !lines.contains('\n'), "{lines}");
    }
}

/// The URL of a database whose name begins with that of this one.
fn beside(database: &Database, suffix: &str) -> String {
    database.postgres_url().replace(database.name(), &format!("{}_{suffix}", database.name()))
}
