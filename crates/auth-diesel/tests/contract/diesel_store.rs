//! The behaviour of both databases beyond the contract kit.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_accounts::account::{NewUser, Taken};
use auth_accounts::ports::Accounts;
use auth_conformance::{at, new_user, session_id, session_of, successor_of};
use auth_core::effects::Effects;
use auth_core::ports::{Blacklist, Sessions, Swap};
use auth_core::time::Seconds;
use auth_core::token::{NextGeneration, TokenId};
use auth_core::user::UserId;
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use libtest_mimic::Trial;
use tokio::task::JoinSet;

use crate::database::{Database, Kind, is_unavailable, user_and_session};
use crate::{on, on_empty};

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    vec![
        on(kind, "rotations_add_no_rows", rotations_add_no_rows),
        on(kind, "an_exhausted_pool_times_out_and_recovers", an_exhausted_pool_times_out_and_recovers),
        on(
            kind,
            "concurrent_registrations_of_one_name_create_one_account",
            concurrent_registrations_of_one_name_create_one_account,
        ),
        on(kind, "prunes_more_than_one_batch", prunes_more_than_one_batch),
        on(kind, "a_dropped_call_releases_its_connection", a_dropped_call_releases_its_connection),
        on(kind, "answers_a_ping", async |database| {
            database.store(PoolSettings::default()).await.ping().await.unwrap()
        }),
    ]
}

pub(crate) fn sqlite_trials() -> Vec<Trial> {
    vec![
        on(Kind::Sqlite, "concurrent_writers_never_fail_with_a_locked_database", concurrent_writers_never_fail),
        on(Kind::Sqlite, "many_stores_open_a_new_file_at_once", many_stores_open_a_new_file_at_once),
        on_empty(
            Kind::Sqlite,
            "database_files_are_readable_by_their_owner_only",
            database_files_are_readable_by_their_owner_only,
        ),
        on(Kind::Sqlite, "reports_an_unreachable_database_in_one_line", reports_an_unreachable_database_in_one_line),
        on(Kind::Sqlite, "takes_a_relative_path_literally", takes_a_relative_path_literally),
    ]
}

/// Rotations update the row of the session and insert nothing (ADR 0001). In PostgreSQL they are heap-only updates,
/// which touch no index.
async fn rotations_add_no_rows(database: Arc<Database>) {
    const ROTATIONS: u32 = 10_000;
    let store = database.store(PoolSettings::default()).await;
    let (_, session) = user_and_session(&store).await;
    let before = database.count_rows();
    let mut now = session;
    for _ in 0..ROTATIONS {
        let next = successor_of(&now, now.rotated_at.plus(Seconds::new(1)));
        assert_eq!(store.advance(now.id, now.generation, next, &Effects::NONE).await.unwrap(), Swap::Done);
        now.generation = next.generation;
        now.rotated_at = next.rotated_at;
    }
    assert_eq!(database.count_rows(), before);
    assert_eq!(store.find_session(now.id).await.unwrap().unwrap().session.generation.get(), ROTATIONS);
    if let Database::Postgres(_) = &*database {
        drop(store); // PostgreSQL reports its statistics when a session ends.
        let heap_only = wait_for_hot_updates(&database, "sessions", i64::from(ROTATIONS)).await;
        // Not all: while another backend starts, the page of the session cannot be pruned.
        assert!(heap_only >= 9_500, "{heap_only} of {ROTATIONS} updates were heap-only");
    }
}

/// Waits until the server has counted `updates` updates of a table. Returns how many of them were heap-only, that is,
/// touched no index.
pub(crate) async fn wait_for_hot_updates(database: &Database, table: &str, updates: i64) -> i64 {
    let question =
        format!("SELECT n_tup_upd || ' ' || n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{table}'");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let counts = database.query(&question).remove(0);
        let (all, heap_only) = counts.split_once(' ').unwrap();
        if all.parse() == Ok(updates) {
            return heap_only.parse().unwrap();
        }
        assert!(Instant::now() < deadline, "{counts}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// While one call holds the only connection and waits for a lock, other calls time out.
async fn an_exhausted_pool_times_out_and_recovers(database: Arc<Database>) {
    let settings = PoolSettings {
        size: 1,
        acquire_timeout: Duration::from_millis(300),
        statement_timeout: Duration::from_secs(60),
    };
    let store = database.store(settings).await;
    let (user, _) = user_and_session(&store).await;
    let release = lock_accounts(&database);
    let stuck = tokio::spawn({
        let (store, id) = (store.clone(), user.id.clone());
        async move { store.set_staff(&id, true, &Effects::NONE).await }
    });
    let deadline = Instant::now() + Duration::from_secs(4);
    loop {
        let start = Instant::now();
        let answer = store.find_user(&user.id).await;
        assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
        if is_unavailable(&answer) {
            break;
        }
        answer.unwrap(); // The other call had not started yet.
        assert!(Instant::now() < deadline, "the pool was never exhausted");
    }
    release();
    assert!(stuck.await.unwrap().unwrap());
    assert!(store.find_user(&user.id).await.unwrap().unwrap().is_staff);
}

/// Takes the lock that a change of an account needs; the returned function releases it.
fn lock_accounts(database: &Database) -> Box<dyn FnOnce() + Send> {
    match database {
        Database::Sqlite(_) => {
            let mut connection = database.sqlite();
            connection.batch_execute("BEGIN IMMEDIATE").unwrap();
            Box::new(move || connection.batch_execute("ROLLBACK").unwrap())
        }
        Database::Postgres(_) => {
            let mut connection = database.postgres();
            connection.batch_execute("BEGIN; UPDATE users SET is_active = is_active").unwrap();
            Box::new(move || connection.batch_execute("ROLLBACK").unwrap())
        }
    }
}

/// SEC-065: the unique index decides which registration succeeds.
async fn concurrent_registrations_of_one_name_create_one_account(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    for (round, expected) in [(0, Taken::Username), (1, Taken::Email)] {
        let mut calls = JoinSet::new();
        for caller in 0..50 {
            let (store, one) = (store.clone(), new_user(&format!("same{round}")));
            let new = match expected {
                Taken::Username => NewUser { email: new_user(&format!("u{caller}")).email, ..one },
                Taken::Email => NewUser { username: new_user(&format!("u{caller}")).username, ..one },
            };
            calls.spawn(async move { store.create(&new, &auth_conformance::hash_of("x")).await.unwrap() });
        }
        let answers = calls.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Err(expected)).count(), 49);
    }
}

async fn prunes_more_than_one_batch(database: Arc<Database>) {
    const EACH: u64 = 1_100;
    let store = database.store(PoolSettings::default()).await;
    let (user, kept) = user_and_session(&store).await;
    let (expired, later) = (at(100), at(1_000_000));
    for number in 0..2 * EACH {
        let mut session = session_of(&user.id, session_id(10 + number), at(0));
        session.expires_at = expired;
        assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
        if number % 2 == 0 {
            let generation = successor_of(&session, at(1)).generation;
            let next = NextGeneration { generation, rotated_at: at(1), expires_at: later };
            assert_eq!(store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap(), Swap::Done);
        }
    }
    assert_eq!(store.prune_sessions(at(101), 1_050).await.unwrap(), 1_050);
    assert_eq!(store.prune_sessions(at(101), u32::MAX).await.unwrap(), 50);
    assert_eq!(store.prune_sessions(at(101), u32::MAX).await.unwrap(), 0);
    assert_eq!(database.count_rows()["sessions"], EACH as i64 + 1);
    assert!(store.find_session(kept.id).await.unwrap().is_some());
    assert_eq!(store.prune_sessions(later.plus(Seconds::new(1)), u32::MAX).await.unwrap() as u64, EACH + 1);
}

/// A client that disconnects must not use up connections.
async fn a_dropped_call_releases_its_connection(database: Arc<Database>) {
    let store = database.store(PoolSettings { size: 2, ..PoolSettings::default() }).await;
    let (user, _) = user_and_session(&store).await;
    let effects = Effects::NONE;
    for _ in 0..50 {
        tokio::select! {
            biased;
            answer = store.set_active(&user.id, true, &effects) => assert!(answer.unwrap()),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(store.find_user(&user.id).await.unwrap().is_some());
}

/// REL-010. Half of the writers use another pool, as another process would.
async fn concurrent_writers_never_fail(database: Arc<Database>) {
    let one = database.store(PoolSettings::default()).await;
    let other = database.store(PoolSettings::default()).await;
    let (user, _) = user_and_session(&one).await;
    let mut writers = JoinSet::new();
    for writer in 0..50_u64 {
        let (store, user) = (if writer % 2 == 0 { one.clone() } else { other.clone() }, user.clone());
        writers.spawn(async move {
            for number in 0..5 {
                let session = session_of(&user.id, session_id(1_000 * (writer + 1) + number), at(0));
                assert!(store.start(&session, &user, Some(at(1).into()), &Effects::NONE).await.unwrap());
                let next = successor_of(&session, at(1));
                assert_eq!(
                    store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap(),
                    Swap::Done
                );
                let jti = TokenId::of_generation(session.id, next.generation);
                assert!(store.refuse(&jti, at(9), "test", &Effects::NONE).await.unwrap());
            }
        });
    }
    writers.join_all().await;
    assert_eq!(database.count_rows()["sessions"], 251);
}

/// The server, a command and a health check may all start on a new machine. SQLite lets only one connection set the
/// journal mode.
async fn many_stores_open_a_new_file_at_once(_: Arc<Database>) {
    for _ in 0..40 {
        let database = Database::empty(Kind::Sqlite);
        let mut starts = JoinSet::new();
        for _ in 0..6 {
            let url = database.url();
            starts.spawn(async move {
                let store = DieselStore::connect(&url, PoolSettings::default()).await.unwrap();
                store.migrate().await.unwrap();
            });
        }
        starts.join_all().await;
    }
}

async fn database_files_are_readable_by_their_owner_only(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    store.migrate().await.unwrap();
    user_and_session(&store).await;
    let Database::Sqlite(directory) = &*database else { panic!("not SQLite") };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["auth.sqlite3", "auth.sqlite3-shm", "auth.sqlite3-wal"]);
    let mut connection = database.sqlite();
    let mode: String =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("journal_mode FROM pragma_journal_mode"))
            .get_result(&mut connection)
            .unwrap();
    assert_eq!(mode, "wal");
}

async fn reports_an_unreachable_database_in_one_line(database: Arc<Database>) {
    let Database::Sqlite(directory) = &*database else { panic!("not SQLite") };
    let no_database = directory.path().join("letter.txt");
    std::fs::write(&no_database, "Dear Alice, ".repeat(1_000)).unwrap();
    for (path, expected) in [
        (directory.path().join("missing/auth.sqlite3"), "No such file or directory"),
        (directory.path().to_owned(), "unable to open"),
        (no_database, "not a database"),
    ] {
        let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
        let error = DieselStore::connect(&url, PoolSettings::default()).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// SQLite reads options from names that begin with `file:`, and gives some names a special meaning.
async fn takes_a_relative_path_literally(database: Arc<Database>) {
    let Database::Sqlite(directory) = &*database else { panic!("not SQLite") };
    let name = "file:auth.sqlite3";
    let relative = directory.path().join(name);
    let steps_up = "../".repeat(std::env::current_dir().unwrap().components().count() - 1);
    let url = format!("sqlite:{steps_up}{}", relative.strip_prefix("/").unwrap().display());
    let store = DieselStore::connect(&DatabaseUrl::parse(&url).unwrap(), PoolSettings::default()).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.find_user(&UserId::new(1)).await.unwrap(), None);
    assert!(relative.exists());
}
