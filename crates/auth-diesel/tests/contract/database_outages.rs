//! Outages of PostgreSQL and how the store recovers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use auth_accounts::ports::Accounts;
use auth_conformance::{at, successor_of};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Sessions, Swap};
use auth_core::token::{RevokeReason, Session};
use auth_core::user::User;
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};
use auth_tests::postgres::Cluster;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use libtest_mimic::Trial;
use tokio::task::{JoinSet, spawn_blocking};

use crate::database::{Database, Kind, Number, is_unavailable, user_and_session};
use crate::{on, on_clusters, on_empty};

pub(crate) fn trials() -> Vec<Trial> {
    let kind = Kind::Postgres;
    vec![
        on_clusters(
            "a_stopped_server_is_unavailable_until_it_restarts",
            a_stopped_server_is_unavailable_until_it_restarts,
        ),
        on_clusters("a_restart_between_calls_causes_no_error", a_restart_between_calls_causes_no_error),
        on(kind, "does_not_reuse_closed_connections", does_not_reuse_closed_connections),
        on(kind, "retries_an_uncommitted_write_on_another_connection", retries_an_uncommitted_write),
        on(
            kind,
            "does_not_retry_a_write_that_may_have_been_committed",
            does_not_retry_a_write_that_may_have_been_committed,
        ),
        on(kind, "times_out_if_the_server_stops_responding", times_out_if_the_server_stops_responding),
        on(kind, "times_out_connecting_to_an_unresponsive_server", times_out_connecting_to_an_unresponsive_server),
        on(kind, "cancels_a_slow_statement", cancels_a_slow_statement),
        on(kind, "retries_after_a_deadlock", retries_after_a_deadlock),
        on(kind, "retries_after_a_serialization_failure", retries_after_a_serialization_failure),
        on(kind, "a_standby_is_unavailable_until_it_is_promoted", a_standby_is_unavailable_until_it_is_promoted),
        on_empty(kind, "a_missing_table_is_a_permanent_error", a_missing_table_is_a_permanent_error),
    ]
}

pub(crate) const QUICK: PoolSettings = PoolSettings {
    size: 4,
    acquire_timeout: Duration::from_millis(500),
    statement_timeout: Duration::from_millis(500),
};

/// More than any call may take with the settings `QUICK`, even on a busy machine.
const IN_TIME: Duration = Duration::from_secs(5);

/// REL-004: the store recovers within this time, without a restart.
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(IN_TIME, call).await.expect("a call did not return in time")
}

/// Runs calls of each kind concurrently, `times` times: a read, a write, a write of several statements and a ping.
async fn calls(store: &DieselStore, user: &User, session: &Session, times: usize) -> Vec<Result<(), StoreError>> {
    let mut calls = JoinSet::new();
    for _ in 0..times {
        let (store, user, session) = (store.clone(), user.clone(), session.clone());
        calls.spawn(async move {
            [
                in_time(store.find_session(session.id)).await.map(drop),
                in_time(store.set_active(&user.id, true, &Effects::NONE)).await.map(drop),
                in_time(store.revoke_all(&user.id, Some(session.id), RevokeReason::LogoutAll, &Effects::NONE, at(1)))
                    .await
                    .map(drop),
                in_time(store.ping()).await,
            ]
        });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

async fn assert_works(store: &DieselStore, user: &User, session: &Session) {
    for answer in calls(store, user, session, 8).await {
        answer.unwrap();
    }
}

/// Waits until the store works again. Until then, every error is `Unavailable`.
async fn assert_recovers(store: &DieselStore, user: &User, session: &Session) {
    let deadline = Instant::now() + RECOVERY_LIMIT;
    while let Err(error) = in_time(store.ping()).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(Instant::now() < deadline, "the store has not recovered: {error:?}");
    }
    assert_works(store, user, session).await;
}

async fn a_stopped_server_is_unavailable_until_it_restarts() {
    let mut cluster = spawn_blocking(Cluster::start).await.unwrap();
    let store = DieselStore::connect(&DatabaseUrl::parse(&cluster.url()).unwrap(), QUICK).await.unwrap();
    store.migrate().await.unwrap();
    let (user, session) = user_and_session(&store).await;
    for _ in 0..2 {
        cluster.stop();
        for answer in calls(&store, &user, &session, 8).await {
            assert!(is_unavailable(&answer), "{answer:?}");
        }
        assert!(DieselStore::connect(store.url(), QUICK).await.is_err());
        cluster.restart();
        assert_recovers(&store, &user, &session).await;
    }
    assert_eq!(store.find_session(session.id).await.unwrap().unwrap().session, session);
}

/// Every connection of the pool is closed, but no call fails because of it.
async fn a_restart_between_calls_causes_no_error() {
    let mut cluster = spawn_blocking(Cluster::start).await.unwrap();
    let settings = PoolSettings::default();
    let store = DieselStore::connect(&DatabaseUrl::parse(&cluster.url()).unwrap(), settings).await.unwrap();
    store.migrate().await.unwrap();
    let (user, session) = user_and_session(&store).await;
    cluster.stop();
    cluster.restart();
    assert_works(&store, &user, &session).await;
}

/// A single connection may be closed by an administrator or by the idle timeout of a proxy.
async fn does_not_reuse_closed_connections(database: Arc<Database>) {
    let store = database.store(QUICK).await;
    let (user, session) = user_and_session(&store).await;
    for _ in 0..10 {
        terminate_all(&database);
        assert_works(&store, &user, &session).await;
    }
}

pub(crate) fn terminate_all(database: &Database) {
    database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'keep'",
    );
}

/// Locks the rows of a table on a connection outside the store.
fn lock_rows(database: &Database, table: &str) -> PgConnection {
    let mut connection = database.postgres();
    connection.batch_execute("SET application_name = 'keep'; SET deadlock_timeout = '60s'; BEGIN").unwrap();
    connection.batch_execute(&format!("SELECT * FROM {table} FOR UPDATE")).unwrap();
    connection
}

/// Waits until exactly `calls` calls of the store are blocked by a lock.
async fn wait_for_blocked_calls(calls: i64, database: &Database) {
    let question = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name <> 'keep'";
    let deadline = Instant::now() + Duration::from_secs(20);
    while database.query(question) != [calls.to_string()] {
        assert!(Instant::now() < deadline, "timed out waiting until {calls} calls are blocked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const PATIENT: PoolSettings =
    PoolSettings { size: 4, acquire_timeout: Duration::from_secs(30), statement_timeout: Duration::from_secs(30) };

async fn retries_an_uncommitted_write(database: Arc<Database>) {
    let store = database.store(PATIENT).await;
    let (user, session) = user_and_session(&store).await;
    let mut holder = lock_rows(&database, "sessions");
    let call = tokio::spawn({
        let (store, id) = (store.clone(), user.id);
        async move { store.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, at(5)).await }
    });
    wait_for_blocked_calls(1, &database).await;
    terminate_all(&database);
    wait_for_blocked_calls(1, &database).await;
    holder.batch_execute("ROLLBACK").unwrap();
    assert_eq!(call.await.unwrap().unwrap(), Some(1));
    assert_eq!(store.find_session(session.id).await.unwrap().unwrap().session.revoked_at, Some(at(5)));
}

async fn does_not_retry_a_write_that_may_have_been_committed(database: Arc<Database>) {
    let store = database.store(PATIENT).await;
    let (_, session) = user_and_session(&store).await;
    let mut holder = lock_rows(&database, "sessions");
    let call = tokio::spawn({
        let (store, session) = (store.clone(), session.clone());
        async move { store.advance(session.id, session.generation, successor_of(&session, at(1)), &Effects::NONE).await }
    });
    wait_for_blocked_calls(1, &database).await;
    terminate_all(&database);
    wait_for_blocked_calls(0, &database).await;
    holder.batch_execute("ROLLBACK").unwrap();
    let answer = call.await.unwrap();
    assert!(is_unavailable(&answer), "{answer:?}");
    // The broken connection was not returned to the pool.
    let again = store.advance(session.id, session.generation, successor_of(&session, at(1)), &Effects::NONE).await;
    assert_eq!(again.unwrap(), Swap::Done);
}

async fn times_out_if_the_server_stops_responding(database: Arc<Database>) {
    let (proxy, url) = through(&database);
    let store = DieselStore::connect(&url, QUICK).await.unwrap();
    store.migrate().await.unwrap();
    let (user, session) = user_and_session(&store).await;
    for _ in 0..2 {
        proxy.freeze(true);
        for answer in calls(&store, &user, &session, 3 * QUICK.size as usize).await {
            assert!(is_unavailable(&answer), "{answer:?}");
        }
        proxy.freeze(false);
        assert_recovers(&store, &user, &session).await;
    }
    // The server stops responding, and then all connections are closed.
    proxy.freeze(true);
    assert!(is_unavailable(&in_time(store.ping()).await));
    proxy.cut();
    proxy.freeze(false);
    assert_recovers(&store, &user, &session).await;
}

async fn times_out_connecting_to_an_unresponsive_server(database: Arc<Database>) {
    let (proxy, url) = through(&database);
    proxy.freeze(true);
    let error = in_time(DieselStore::connect(&url, QUICK)).await.unwrap_err();
    assert!(error.to_string().contains("timeout"), "{error}");
}

async fn cancels_a_slow_statement(database: Arc<Database>) {
    let store = database.store(QUICK).await;
    let (user, session) = user_and_session(&store).await;
    let mut holder = lock_rows(&database, "users");
    let answer = in_time(store.set_staff(&user.id, true, &Effects::NONE)).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    // The server cancelled the statement, and the connection is usable.
    holder.batch_execute("ROLLBACK").unwrap();
    assert_works(&store, &user, &session).await;
    assert!(!store.find_user(&user.id).await.unwrap().unwrap().is_staff);
}

/// REL-011. The connection of the test has a long `deadlock_timeout`, so the deadlock check runs on the one of the
/// store.
async fn retries_after_a_deadlock(database: Arc<Database>) {
    let store = database.store(PATIENT).await;
    let (user, session) = user_and_session(&store).await;
    let mut holder = lock_rows(&database, "sessions");
    let call = tokio::spawn({
        let (store, id) = (store.clone(), user.id);
        async move { store.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, at(5)).await }
    });
    wait_for_blocked_calls(1, &database).await;
    let holder = spawn_blocking(move || {
        holder.batch_execute("UPDATE users SET first_name = 'Deadlock'; COMMIT").unwrap();
    });
    assert_eq!(call.await.unwrap().unwrap(), Some(1));
    holder.await.unwrap();
    assert_eq!(store.find_session(session.id).await.unwrap().unwrap().user.first_name, "Deadlock");
    assert!(deadlocks(&database).await >= 1);
}

/// How many deadlocks the server has counted; waits until there is at least one.
async fn deadlocks(database: &Database) -> i64 {
    let mut connection = database.postgres();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let question = "SELECT deadlocks AS value FROM pg_stat_database WHERE datname = current_database()";
        let Number { value } = diesel::sql_query(question).get_result(&mut connection).unwrap();
        if value > 0 || Instant::now() > deadline {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// REL-011. With SERIALIZABLE as the default, concurrent rotations fail instead of waiting.
async fn retries_after_a_serialization_failure(database: Arc<Database>) {
    let name = database.name();
    database.query(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"));
    let store = database.store(PATIENT).await;
    let (user, mut session) = user_and_session(&store).await;
    for _ in 0..20 {
        let next = successor_of(&session, at(1));
        let mut rotations = JoinSet::new();
        for _ in 0..4 {
            let (store, session) = (store.clone(), session.clone());
            rotations.spawn(async move {
                store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap()
            });
        }
        let won = rotations.join_all().await.into_iter().filter(|swap| *swap == Swap::Done).count();
        assert_eq!(won, 1);
        session.generation = next.generation;
    }
    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(5)).await.unwrap(),
        Some(1)
    );
}

/// After a failover the pool may hold connections to a server that is now a standby.
async fn a_standby_is_unavailable_until_it_is_promoted(database: Arc<Database>) {
    let store = database.store(QUICK).await;
    let (user, session) = user_and_session(&store).await;
    let name = database.name();
    let set = |value| {
        database.query(&format!(
            "SET transaction_read_only = off; ALTER DATABASE {name} SET default_transaction_read_only = {value}"
        ));
        terminate_all(&database);
    };
    set("on");
    assert!(store.find_session(session.id).await.unwrap().is_some());
    let answer = in_time(store.set_active(&user.id, true, &Effects::NONE)).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    set("off");
    assert_works(&store, &user, &session).await;
}

async fn a_missing_table_is_a_permanent_error(database: Arc<Database>) {
    let store = database.store(QUICK).await;
    let answer = store.has_superuser().await;
    assert!(matches!(answer, Err(StoreError::Broken(_))), "{answer:?}");
}

/// A proxy in front of the server, and the URL of the database through it.
pub(crate) fn through(database: &Database) -> (Proxy, DatabaseUrl) {
    let url = database.postgres_url();
    let (before, after) = url.split_once('@').unwrap();
    let (server, after) = after.split_once('/').unwrap();
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
    let proxy = Proxy::to(server);
    let url = DatabaseUrl::parse(&format!("{before}@127.0.0.1:{}/{after}", proxy.port)).unwrap();
    (proxy, url)
}

/// A TCP proxy between the store and the server. While frozen it accepts connections and data but forwards nothing,
/// like a server that hangs or a network that drops all packets.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    is_frozen: bool,
    streams: Vec<TcpStream>,
}

impl Proxy {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let copies = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                shared.0.lock().unwrap().streams.extend(copies);
                for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || pass_on(from, to, &shared));
                }
            }
        });
        Self { port, state }
    }

    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.state.0.lock().unwrap().is_frozen = is_frozen;
        self.state.1.notify_all();
    }

    pub(crate) fn cut(&self) {
        for stream in self.state.0.lock().unwrap().streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        drop(shared.1.wait_while(shared.0.lock().unwrap(), |state| state.is_frozen).unwrap());
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
