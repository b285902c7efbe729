//! An application's own tables in the same database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use auth_accounts::ports::Accounts;
use auth_conformance::{hash_of, new_user};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_diesel::{AnyConnection, AppMigrations, DieselStore, JobError, PoolSettings};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use libtest_mimic::Trial;
use tokio::task::JoinSet;

use crate::database::{Database, Kind, is_unavailable};
use crate::on;

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    vec![
        on(kind, "an_application_can_use_its_own_table", an_application_can_use_its_own_table),
        on(kind, "processes_that_start_at_once_migrate_the_application_once", processes_migrate_the_application_once),
        on(kind, "refuses_ambiguous_migrations", refuses_ambiguous_migrations),
        on(kind, "a_failed_migration_of_an_application_changes_nothing", a_failed_migration_changes_nothing),
        on(kind, "commits_a_transaction_of_a_job_whole_or_not_at_all", commits_a_transaction_whole_or_not_at_all),
        on(kind, "transactions_of_jobs_do_not_lose_updates", transactions_of_jobs_do_not_lose_updates),
        on(kind, "a_refused_statement_is_a_permanent_error", a_refused_statement_is_a_permanent_error),
        on(kind, "a_panic_in_a_job_is_a_permanent_error", a_panic_in_a_job_is_a_permanent_error),
        on(kind, "a_job_can_match_on_the_connection", a_job_can_match_on_the_connection),
    ]
}

diesel::table! {
    notes (id) {
        id -> BigInt,
        author_id -> BigInt,
        text -> Text,
        is_public -> Bool,
        likes -> Integer,
    }
}

const MIGRATIONS: AppMigrations = AppMigrations {
    postgres: embed_migrations!("tests/contract/application_migrations/postgres"),
    sqlite: embed_migrations!("tests/contract/application_migrations/sqlite"),
};

const NAMES: [&str; 2] = ["notes-0001_notes", "notes-0002_likes"];

async fn with_notes(database: &Database) -> (DieselStore, i64) {
    let store = database.store(PoolSettings::default()).await;
    assert_eq!(store.migrate_with(MIGRATIONS).await.unwrap(), NAMES);
    let author = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    (store, author.id.as_integer().unwrap())
}

fn insert(connection: &mut AnyConnection, author: i64, text: &str) -> QueryResult<i64> {
    diesel::insert_into(notes::table)
        .values((notes::author_id.eq(author), notes::text.eq(text.to_owned()), notes::is_public.eq(true)))
        .returning(notes::id)
        .get_result(connection)
}

async fn texts(store: &DieselStore) -> Vec<String> {
    store.read(|connection| Ok(notes::table.order(notes::id).select(notes::text).load(connection)?)).await.unwrap()
}

async fn an_application_can_use_its_own_table(database: Arc<Database>) {
    let (store, author) = with_notes(&database).await;
    assert!(store.migrate_with(MIGRATIONS).await.unwrap().is_empty());
    assert!(store.pending_migrations().await.unwrap().is_empty());
    assert!(store.migrate().await.unwrap().is_empty());
    let id = store.write(move |connection| Ok(insert(connection, author, "one")?)).await.unwrap();
    let liked = store.write(move |connection| {
        let note = notes::table.find(id).filter(notes::author_id.eq(author));
        Ok(diesel::update(note).set(notes::likes.eq(notes::likes + 1)).execute(connection)? == 1)
    });
    assert!(liked.await.unwrap());
    let found = store.read(move |connection| {
        let note = notes::table.find(id).select((notes::text, notes::is_public, notes::likes));
        Ok(note.get_result::<(String, bool, i32)>(connection).optional()?)
    });
    assert_eq!(found.await.unwrap(), Some(("one".to_owned(), true, 1)));
    // The note is deleted with its author, through a foreign key to `users`.
    assert!(store.delete(&auth_core::user::UserId::new(author), &Effects::NONE).await.unwrap());
    assert!(texts(&store).await.is_empty());
}

async fn processes_migrate_the_application_once(database: Arc<Database>) {
    drop(database.store(PoolSettings::default()).await);
    let start = || async {
        let store = database.store(PoolSettings { size: 1, ..PoolSettings::default() }).await;
        store.migrate_with(MIGRATIONS).await.unwrap().len()
    };
    let (a, b, c, d) = tokio::join!(start(), start(), start(), start());
    assert_eq!(a + b + c + d, NAMES.len());
}

/// A built-in migration would hide the first of these; the third would hide the second.
async fn refuses_ambiguous_migrations(database: Arc<Database>) {
    const RESERVED: EmbeddedMigrations = embed_migrations!("tests/contract/application_migrations/reserved_version");
    let store = database.store(PoolSettings::default()).await;
    let before = database.count_rows();
    const DUPLICATES: EmbeddedMigrations = embed_migrations!("tests/contract/application_migrations/same_version");
    let reserved = AppMigrations { postgres: RESERVED, sqlite: RESERVED };
    for (migrations, expected) in [
        (reserved, "0001_posts has a reserved version"),
        (AppMigrations { postgres: DUPLICATES, sqlite: DUPLICATES }, "have the same version"),
    ] {
        let error = store.migrate_with(migrations).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(database.count_rows(), before);
}

async fn a_failed_migration_changes_nothing(database: Arc<Database>) {
    const BROKEN: EmbeddedMigrations = embed_migrations!("tests/contract/application_migrations/broken");
    let store = database.store(PoolSettings::default()).await;
    let before = database.count_rows();
    let error = store.migrate_with(AppMigrations { postgres: BROKEN, sqlite: BROKEN }).await.unwrap_err().to_string();
    assert!(error.contains("0002") && !error.contains('\n'), "{error}");
    assert_eq!(database.count_rows(), before);
}

async fn commits_a_transaction_whole_or_not_at_all(database: Arc<Database>) {
    let (store, author) = with_notes(&database).await;
    let two = |text: &'static str, outcome: QueryResult<()>| {
        let outcome = std::sync::Mutex::new(Some(outcome));
        store.write(move |connection| {
            connection.transaction(|connection| {
                insert(connection, author, text)?;
                insert(connection, author, text)?;
                outcome.lock().unwrap().take().unwrap_or(Ok(()))
            })
        })
    };
    two("a", Ok(())).await.unwrap();
    let error = two("b", Err(diesel::result::Error::RollbackTransaction)).await.unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error:?}");
    assert_eq!(texts(&store).await, ["a", "a"]);
    let unknown = store.write(move |connection| {
        connection.transaction(|connection| {
            insert(connection, author, "c")?;
            insert(connection, i64::MAX, "no such author")
        })
    });
    assert!(matches!(unknown.await, Err(StoreError::Broken(_))));
    assert_eq!(texts(&store).await, ["a", "a"]);
}

/// A write that depends on a read: either the row is locked in between, or the database rolls one job back and it runs
/// again.
async fn transactions_of_jobs_do_not_lose_updates(database: Arc<Database>) {
    let (store, author) = with_notes(&database).await;
    let id = store.write(move |connection| Ok(insert(connection, author, "one")?)).await.unwrap();
    let mut jobs = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        jobs.spawn(async move {
            let job = move |connection: &mut AnyConnection| -> Result<(), JobError> {
                connection.transaction(|connection| {
                    let note = notes::table.find(id);
                    diesel::update(note).set(notes::is_public.eq(notes::is_public)).execute(connection)?;
                    let likes: i32 = note.select(notes::likes).get_result(connection)?;
                    diesel::update(note).set(notes::likes.eq(likes + 1)).execute(connection).map(drop)
                })
            };
            store.write(job).await.unwrap();
        });
    }
    jobs.join_all().await;
    let likes =
        store.read(move |connection| Ok(notes::table.find(id).select(notes::likes).get_result::<i32>(connection)?));
    assert_eq!(likes.await.unwrap(), 50);
}

async fn a_refused_statement_is_a_permanent_error(database: Arc<Database>) {
    let (store, _) = with_notes(&database).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let answer = store.read(move |connection| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(diesel::sql_query("SELECT nothing FROM nowhere").execute(connection)?)
    });
    let error = answer.await.unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert!(!is_unavailable(&store.ping().await));
    let opaque = JobError::from(diesel::result::Error::NotFound);
    assert_eq!(opaque.to_string(), diesel::result::Error::NotFound.to_string());
}

async fn a_panic_in_a_job_is_a_permanent_error(database: Arc<Database>) {
    let store = database.store(PoolSettings { size: 1, ..PoolSettings::default() }).await;
    let panics = store.write(|connection| -> Result<(), JobError> {
        connection.transaction(|_| -> QueryResult<()> { panic!("a bug in the application") })
    });
    assert!(matches!(panics.await, Err(StoreError::Broken(_))));
    // Neither the connection nor the permit is lost, and no transaction is left open.
    assert!(!store.has_superuser().await.unwrap());
    store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
}

async fn a_job_can_match_on_the_connection(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let is_postgres = store.read(|connection| Ok(matches!(connection, AnyConnection::Postgres(_)))).await.unwrap();
    assert_eq!(is_postgres, store.url().is_postgres());
}
