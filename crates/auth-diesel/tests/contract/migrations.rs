//! The migrations of the service: applying, reverting and existing rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_accounts::ports::Accounts;
use auth_conformance::{hash_of, new_user};
use auth_core::ports::Sessions;
use auth_core::time::UnixTime;
use auth_core::token::SessionId;
use auth_core::user::{User, UserId};
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};
use diesel::Connection;
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use libtest_mimic::Trial;

use crate::database::{Database, Kind};
use crate::{on, on_empty};

const ALL: [&str; 17] = [
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
    "0015_user_ids",
    "0016_group_tables",
    "0017_optional_names",
];

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    let mut trials = vec![
        on_empty(
            kind,
            "lists_pending_migrations_and_applies_them_once",
            lists_pending_migrations_and_applies_them_once,
        ),
        on_empty(kind, "processes_that_start_at_once_migrate_once", processes_that_start_at_once_migrate_once),
        on_empty(kind, "each_migration_can_be_reverted", each_migration_can_be_reverted),
        on_empty(kind, "migrations_preserve_existing_rows", migrations_preserve_existing_rows),
    ];
    trials.push(on_empty(
        kind,
        "refuses_to_revert_if_a_column_would_lose_null",
        refuses_to_revert_if_a_column_would_lose_null,
    ));
    if kind == Kind::Sqlite {
        let name = "an_interrupted_migration_changes_nothing";
        trials.push(on_empty(kind, name, an_interrupted_migration_changes_nothing));
    }
    if kind == Kind::Postgres {
        trials.push(on(
            kind,
            "lists_pending_migrations_without_the_right_to_migrate",
            lists_pending_migrations_without_the_right_to_migrate,
        ));
        trials.push(on(
            kind,
            "reports_an_unreachable_database_in_one_line",
            reports_an_unreachable_database_in_one_line,
        ));
        trials.push(on(kind, "refuses_an_encoding_other_than_utf8", refuses_an_encoding_other_than_utf8));
    }
    trials
}

async fn lists_pending_migrations_and_applies_them_once(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    assert_eq!(store.pending_migrations().await.unwrap(), ALL);
    assert_eq!(database.count_rows().len(), 0, "listing the pending migrations changed the schema");
    assert_eq!(store.migrate().await.unwrap(), ALL);
    assert!(store.pending_migrations().await.unwrap().is_empty());
    assert!(store.migrate().await.unwrap().is_empty());
}

async fn processes_that_start_at_once_migrate_once(database: Arc<Database>) {
    let start = || async {
        let store = database.store(PoolSettings { size: 2, ..PoolSettings::default() }).await;
        let applied = store.migrate().await.unwrap();
        assert!(store.pending_migrations().await.unwrap().is_empty());
        applied.len()
    };
    let (a, b, c, d) = tokio::join!(start(), start(), start(), start());
    assert_eq!([a, b, c, d].iter().sum::<usize>(), ALL.len());
}

async fn each_migration_can_be_reverted(database: Arc<Database>) {
    let directory = |kind| FileBasedMigrations::from_path(format!("../../migrations/{kind}")).unwrap();
    match &*database {
        Database::Sqlite(_) => revert_and_reapply_each(&mut database.sqlite(), directory(Kind::Sqlite), &database),
        Database::Postgres(_) => {
            revert_and_reapply_each(&mut database.postgres(), directory(Kind::Postgres), &database)
        }
    }
}

fn revert_and_reapply_each<DB: Backend>(
    connection: &mut (impl MigrationHarness<DB> + Connection),
    migrations: FileBasedMigrations,
    database: &Database,
) {
    assert!(connection.has_pending_migration(migrations.clone()).unwrap()); // Creates diesel's table of migrations.
    for _ in ALL {
        let before = schema_of(database);
        connection.run_next_migration(migrations.clone()).unwrap();
        let after = schema_of(database);
        assert_ne!(after, before);
        connection.revert_last_migration(migrations.clone()).unwrap();
        assert_eq!(schema_of(database), before);
        connection.run_next_migration(migrations.clone()).unwrap();
        assert_eq!(schema_of(database), after);
    }
    assert!(!connection.has_pending_migration(migrations).unwrap());
}

async fn migrations_preserve_existing_rows(database: Arc<Database>) {
    let directory = |kind| FileBasedMigrations::from_path(format!("../../migrations/{kind}")).unwrap();
    let before = match &*database {
        Database::Sqlite(_) => migrate_with_rows(&mut database.sqlite(), directory(Kind::Sqlite), &database),
        Database::Postgres(_) => migrate_with_rows(&mut database.postgres(), directory(Kind::Postgres), &database),
    };
    assert_eq!(rows_of(&database), before);
    if let Database::Sqlite(_) = &*database {
        assert!(database.query("SELECT \"table\" AS value FROM pragma_foreign_key_check").is_empty());
        assert_eq!(database.query("SELECT integrity_check AS value FROM pragma_integrity_check"), ["ok"]);
    }
    // Codes have the highest priority, then password resets.
    let outbox = "SELECT kind || ' ' || CAST(priority AS text) AS value FROM outbox ORDER BY seq";
    assert_eq!(database.query(outbox), ["email_changed 2", "password_reset 1", "second_factor_code 0"]);
    let store = database.store(PoolSettings::default()).await;
    let alice = store.find_user(&UserId::new(1)).await.unwrap().unwrap();
    assert_eq!(alice.multi_factor_since, Some(UnixTime::from_seconds(1_000_000_005)), "the time of the first factor");
    let bob = store.find_user(&UserId::new(2)).await.unwrap().unwrap();
    assert_eq!(bob.multi_factor_since, None);
    let groups = |user: &User| user.groups.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!((groups(&alice), groups(&bob)), (vec!["authors".into(), "editors".into()], vec!["editors".into()]));
    let members = "SELECT CAST(user_id AS text) || ' ' || name AS value FROM user_groups, groups
                   WHERE groups.id = group_id ORDER BY 1";
    assert_eq!(database.query(members), ["1 authors", "1 editors", "2 editors"]);
    let session = store.find_session(SessionId::from_bytes([7; 16])).await.unwrap().unwrap().session;
    assert_eq!(session.authenticated_at, session.created_at);
    assert_eq!(session.created_at, UnixTime::from_seconds(1_000_000_002));
    let next = store.create(&new_user("next"), &hash_of("x")).await.unwrap().unwrap();
    assert_eq!(next.id, UserId::new(4), "the ID of a deleted user is not assigned again");
}

/// Applies all migrations, and after some of them inserts rows that the releases of that time could contain. Returns
/// the rows as they were before migration 0016, which adds the tables of groups.
fn migrate_with_rows<DB: Backend>(
    connection: &mut (impl MigrationHarness<DB> + Connection),
    migrations: FileBasedMigrations,
    database: &Database,
) -> BTreeMap<String, Vec<String>> {
    assert!(connection.has_pending_migration(migrations.clone()).unwrap());
    let is_sqlite = matches!(database, Database::Sqlite(_));
    let id = |hex: &str| if is_sqlite { format!("X'{hex}'") } else { format!("'{hex}'") };
    let moment = |second: u64| {
        let seconds = 1_000_000_000 + second;
        if is_sqlite { format!("{seconds}000000") } else { format!("to_timestamp({seconds})") }
    };
    let blob = if is_sqlite { "X'00'" } else { "'\\x00'" };
    let mut before = BTreeMap::new();
    for name in ALL {
        if name == "0016_group_tables" {
            before = rows_of(database);
        }
        connection.run_next_migration(migrations.clone()).unwrap();
        let rows = match name {
            "0001_accounts" => ["alice", "bob", "gone"]
                .map(|name| {
                    format!(
                        "INSERT INTO users (username, username_canonical, email, email_canonical, first_name, last_name,
                             is_active, is_staff, is_superuser, date_joined, token_epoch)
                         VALUES ('{name}', '{name}', '{name}@b.co', '{name}@b.co', '', '', TRUE, FALSE, FALSE, {}, {})",
                        moment(0),
                        moment(0)
                    )
                })
                .into_iter()
                .chain([
                    format!(
                        "INSERT INTO credentials (user_id, password_hash, updated_at) SELECT id, '$' || username, {} FROM users",
                        moment(1)
                    ),
                    "DELETE FROM users WHERE username = 'gone'".to_owned(),
                ])
                .collect(),
            "0002_sessions" => vec![format!(
                "INSERT INTO sessions (id, user_id, generation, rotated_at, created_at, last_used_at, expires_at, amr,
                     prune_at)
                 VALUES ({}, 1, 0, {}, {}, {}, {}, 'pwd', {})",
                id("07070707070707070707070707070707"),
                moment(2),
                moment(2),
                moment(2),
                moment(9),
                moment(9)
            )],
            "0004_groups" => vec![
                "UPDATE users SET group_names = 'authors editors' WHERE id = 1".to_owned(),
                "UPDATE users SET group_names = 'editors' WHERE id = 2".to_owned(),
            ],
            "0003_blacklist" => {
                vec![format!("INSERT INTO blacklist (jti, expires_at, reason) VALUES ('j', {}, 'x')", moment(9))]
            }
            "0006_one_time_codes" => vec![format!(
                "INSERT INTO one_time_codes (id, user_id, purpose, mac, attempts, created_at, expires_at)
                 VALUES ({}, 2, 'login', {blob}, 1, {}, {})",
                id("08080808080808080808080808080808"),
                moment(3),
                moment(9)
            )],
            "0007_second_factors" => [("email", 5), ("totp", 6)]
                .map(|(method, second)| {
                    format!("INSERT INTO second_factors (user_id, method, since) VALUES (1, '{method}', {})", moment(second))
                })
                .into_iter()
                .chain([format!("INSERT INTO recovery_codes (user_id, mac) VALUES (1, {blob})")])
                .collect(),
            "0008_login_attempts" => vec![format!(
                "INSERT INTO login_attempts (bucket, count, since, last_at, expires_at, prune_at)
                 VALUES ('b', 1, {0}, {0}, {0}, {0})",
                moment(4)
            )],
            "0009_outbox" => ["email_changed", "password_reset", "second_factor_code"]
                .iter()
                .zip(1..)
                .map(|(kind, number)| {
                    format!(
                        "INSERT INTO outbox (id, user_id, kind, recipient, content, queued_at)
                         VALUES ({}, 1, '{kind}', 'a@b.co', {blob}, {})",
                        id(&format!("{number:032}")),
                        moment(0)
                    )
                })
                .collect(),
            _ => Vec::new(),
        };
        rows.iter().for_each(|row| drop(database.query(row)));
    }
    before
}

/// Every row of the tables that existed before 0016, without the column of group names, whose format 0016 changes.
fn rows_of(database: &Database) -> BTreeMap<String, Vec<String>> {
    const TABLES: [&str; 9] = [
        "users",
        "credentials",
        "sessions",
        "blacklist",
        "one_time_codes",
        "second_factors",
        "recovery_codes",
        "login_attempts",
        "outbox",
    ];
    let rows = TABLES.map(|table| {
        let columns = database.query(&match database {
            Database::Sqlite(_) => format!("SELECT name AS value FROM pragma_table_info('{table}')"),
            Database::Postgres(_) => format!(
                "SELECT column_name FROM information_schema.columns
                 WHERE table_name = '{table}' AND table_schema = 'public' ORDER BY ordinal_position"
            ),
        });
        let texts = columns.iter().filter(|column| *column != "group_names").map(|column| match database {
            Database::Sqlite(_) => format!("quote({column})"),
            Database::Postgres(_) => format!("quote_nullable({column})"),
        });
        let row = texts.collect::<Vec<_>>().join(" || ',' || ");
        let rows = database.query(&format!("SELECT {row} AS value FROM {table} ORDER BY 1"));
        assert!(!rows.is_empty(), "{table}");
        (table.to_owned(), rows)
    });
    rows.into()
}

/// Applies the first `count` migrations and inserts a user.
fn with_a_user<DB: Backend>(
    connection: &mut (impl MigrationHarness<DB> + Connection),
    migrations: &FileBasedMigrations,
    database: &Database,
    count: usize,
) {
    assert!(connection.has_pending_migration(migrations.clone()).unwrap());
    for _ in 0..count {
        connection.run_next_migration(migrations.clone()).unwrap();
    }
    let moment = if matches!(database, Database::Sqlite(_)) { "0" } else { "now()" };
    database.query(&format!(
        "INSERT INTO users (username, username_canonical, email, email_canonical, first_name, last_name,
             is_active, is_staff, is_superuser, date_joined, token_epoch)
         VALUES ('Alice', 'alice', 'Alice@b.co', 'alice@b.co', '', '', TRUE, FALSE, FALSE, {moment}, {moment})"
    ));
}

async fn refuses_to_revert_if_a_column_would_lose_null(database: Arc<Database>) {
    let directory = |kind| FileBasedMigrations::from_path(format!("../../migrations/{kind}")).unwrap();
    match &*database {
        Database::Sqlite(_) => refuses_to_revert_with_null(&mut database.sqlite(), &directory(Kind::Sqlite), &database),
        Database::Postgres(_) => {
            refuses_to_revert_with_null(&mut database.postgres(), &directory(Kind::Postgres), &database)
        }
    }
}

fn refuses_to_revert_with_null<DB: Backend>(
    connection: &mut (impl MigrationHarness<DB> + Connection),
    migrations: &FileBasedMigrations,
    database: &Database,
) {
    with_a_user(connection, migrations, database, ALL.len());
    let before = schema_of(database);
    for (null, back) in [
        ("username_canonical = NULL", "username_canonical = 'alice'"),
        ("email_canonical = NULL", "email_canonical = 'alice@b.co'"),
        ("email = NULL", "email = 'Alice@b.co'"),
    ] {
        database.query(&format!("UPDATE users SET {null}"));
        assert!(connection.revert_last_migration(migrations.clone()).is_err(), "{null}");
        assert_eq!(schema_of(database), before, "{null}");
        database.query(&format!("UPDATE users SET {back}"));
    }
    connection.revert_last_migration(migrations.clone()).unwrap();
    assert_ne!(schema_of(database), before);
}

/// The process is killed before the commit, while another process has the database open.
async fn an_interrupted_migration_changes_nothing(database: Arc<Database>) {
    let directory = FileBasedMigrations::from_path("../../migrations/sqlite").unwrap();
    with_a_user(&mut database.sqlite(), &directory, &database, 14);
    let read_all = "SELECT username || email AS value FROM users";
    let mut other = database.sqlite();
    other.batch_execute("SELECT * FROM users").unwrap();
    let before = schema_of(&database);
    for end in ["", "ROLLBACK"] {
        let mut connection = database.sqlite();
        connection.batch_execute("BEGIN IMMEDIATE").unwrap();
        for name in &ALL[14..] {
            let up = std::fs::read_to_string(format!("../../migrations/sqlite/{name}/up.sql")).unwrap();
            connection.batch_execute(&up).unwrap();
        }
        connection.batch_execute(end).unwrap();
        drop(connection);
        assert_eq!(schema_of(&database), before);
        assert_eq!(database.query(read_all), ["AliceAlice@b.co"]);
        assert!(other.batch_execute("UPDATE users SET email = NULL").is_err());
    }
    let store = database.store(PoolSettings::default()).await;
    assert_eq!(store.migrate().await.unwrap(), ALL[14..]);
    other.batch_execute("UPDATE users SET email = NULL, email_canonical = NULL, username_canonical = NULL").unwrap();
    assert_eq!(store.find_user(&UserId::new(1)).await.unwrap().unwrap().email, None);
    assert_eq!(database.query("SELECT integrity_check AS value FROM pragma_integrity_check"), ["ok"]);
}

/// The tables, columns, indexes, constraints, triggers and functions.
fn schema_of(database: &Database) -> Vec<String> {
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

/// A server may run as a database user who cannot change tables.
async fn lists_pending_migrations_without_the_right_to_migrate(database: Arc<Database>) {
    if std::env::var_os(auth_tests::postgres::URL_VARIABLE).is_some() {
        return; // That server may not accept the new role.
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

async fn refuses_an_encoding_other_than_utf8(database: Arc<Database>) {
    let name = format!("{}_ascii", database.name());
    database.query(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'"));
    let url = DatabaseUrl::parse(&beside(&database, "ascii")).unwrap();
    let error = DieselStore::connect(&url, PoolSettings::default()).await.unwrap_err().to_string();
    database.query(&format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(error.contains("encoding SQL_ASCII"), "{error}");
}

async fn reports_an_unreachable_database_in_one_line(database: Arc<Database>) {
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

/// The URL of the database with this one's name and a suffix.
fn beside(database: &Database, suffix: &str) -> String {
    database.postgres_url().replace(database.name(), &format!("{}_{suffix}", database.name()))
}
