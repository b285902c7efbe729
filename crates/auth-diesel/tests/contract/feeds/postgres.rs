//! `LISTEN`, and the failures of its connection.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_accounts::ports::Accounts;
use auth_conformance::{at, session_id, session_of};
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed, Sessions};
use auth_core::time::Seconds;
use auth_core::token::{RevokeReason, SessionId};
use auth_core::user::User;
use auth_diesel::{AnyConnection, DatabaseUrl, DieselStore, PoolSettings};
use auth_tests::postgres::Cluster;
use diesel::prelude::*;
use diesel::sql_types::Text;
use libtest_mimic::Trial;
use tokio::task::spawn_blocking;

use super::{IN_TIME, assert_fails, assert_recovers, changed, fixture, started_feed};
use crate::database::{Database, Kind, user_and_session};
use crate::database_outages::{QUICK, terminate_all, through};
use crate::{on, on_clusters};

pub(super) fn trials() -> Vec<Trial> {
    let kind = Kind::Postgres;
    vec![
        on(kind, "reports_a_gap_after_unknown_notifications", reports_a_gap_after_unknown_notifications),
        on(kind, "a_dropped_feed_closes_its_connection", a_dropped_feed_closes_its_connection),
        on(kind, "reopens_a_closed_connection", reopens_a_closed_connection),
        on(kind, "reconnects_when_it_is_no_longer_listening", reconnects_when_it_is_no_longer_listening),
        on(kind, "reports_an_unresponsive_server_in_time", reports_an_unresponsive_server_in_time),
        on_clusters("resumes_after_an_outage", resumes_after_an_outage),
    ]
}

async fn reports_a_gap_after_unknown_notifications(database: Arc<Database>) {
    let (_, user, _, mut feed) = fixture(&database).await;
    database.query("NOTIFY other_channel, 'u:1'");
    assert_eq!(feed.next().await.unwrap(), []);
    for odd in ["NOTIFY auth_changes", "NOTIFY auth_changes, 'hello'", "NOTIFY auth_changes, 's:7'"] {
        database.query(odd);
        assert_eq!(feed.next().await.unwrap(), [Change::Gap], "{odd}");
    }
    database.query(&format!("NOTIFY auth_changes, 'u:{}'", user.id.as_integer().unwrap()));
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}

const LISTENERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_listening_channels%'";

async fn a_dropped_feed_closes_its_connection(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let unused = store.changes();
    assert_eq!(database.query(LISTENERS), ["0"]);
    let (one, two) = (started_feed(&store).await, started_feed(&store).await);
    assert_eq!(database.query(LISTENERS), ["2"]);
    for (feed, expected) in [(unused, "2"), (one, "1"), (two, "0")] {
        drop(feed);
        let deadline = Instant::now() + IN_TIME;
        while database.query(LISTENERS) != [expected] {
            assert!(Instant::now() < deadline, "{:?}", database.query(LISTENERS));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    store.ping().await.unwrap();
}

async fn reopens_a_closed_connection(database: Arc<Database>) {
    let (_, user, _, mut feed) = fixture(&database).await;
    for _ in 0..3 {
        terminate_all(&database);
        database.query("UPDATE users SET is_staff = NOT is_staff");
        assert_recovers(&mut feed).await;
        database.query("UPDATE users SET is_active = NOT is_active");
        assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
    }
    assert_eq!(database.query(LISTENERS), ["1"]);
}

/// As behind a pooler that gives each statement another session. The test replaces `pg_listening_channels`.
async fn reconnects_when_it_is_no_longer_listening(database: Arc<Database>) {
    let (_, _, _, mut feed) = fixture(&database).await;
    database.query(
        "ALTER DATABASE %name SET search_path = fake, pg_catalog, public;
         CREATE SCHEMA fake;
         CREATE FUNCTION fake.pg_listening_channels() RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text WHERE false'"
            .replace("%name", database.name())
            .as_str(),
    );
    terminate_all(&database);
    assert_fails(&mut feed).await;
    let error = feed.next().await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("pooler"), "{error:?}");
    database.query(&format!("DROP SCHEMA fake CASCADE; ALTER DATABASE {} RESET search_path", database.name()));
    assert_recovers(&mut feed).await;
}

async fn reports_an_unresponsive_server_in_time(database: Arc<Database>) {
    let (proxy, url) = through(&database);
    let store = DieselStore::connect(&url, QUICK).await.unwrap();
    store.migrate().await.unwrap();
    let past_it = database.store(QUICK).await;
    let (user, _) = user_and_session(&past_it).await;
    let mut feed = started_feed(&store).await;
    // The server stops responding and then sends what was reported meanwhile.
    proxy.freeze(true);
    assert_fails(&mut feed).await;
    assert!(past_it.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert_fails(&mut feed).await;
    proxy.freeze(false);
    assert_recovers(&mut feed).await;
    assert!(past_it.set_staff(&user.id, false, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
    // The server stops responding, and then the connection is closed.
    proxy.freeze(true);
    assert_fails(&mut feed).await;
    proxy.cut();
    proxy.freeze(false);
    assert_recovers(&mut feed).await;
    assert!(past_it.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
    // Dropping the feed does not wait for a thread that is blocked by the server.
    proxy.freeze(true);
    let start = Instant::now();
    drop(feed);
    assert!(start.elapsed() < Duration::from_secs(1));
}

/// A session that was revoked during the outage is found by reading everything after the first successful call.
async fn resumes_after_an_outage() {
    let mut cluster = spawn_blocking(Cluster::start).await.unwrap();
    let store = DieselStore::connect(&DatabaseUrl::parse(&cluster.url()).unwrap(), QUICK).await.unwrap();
    store.migrate().await.unwrap();
    let (user, _) = user_and_session(&store).await;
    let mut feed = started_feed(&store).await;
    for round in 1..3_u64 {
        cluster.stop();
        assert_fails(&mut feed).await;
        assert_fails(&mut feed).await;
        cluster.restart();
        let writer = tokio::spawn(revoke_many_sessions(store.clone(), user.clone(), round));
        assert_recovers(&mut feed).await;
        let mut known = ended_sessions(&store).await;
        let done = writer.await.unwrap();
        let reported = feed.next().await.unwrap();
        known.extend(reported.iter().map(|change| match change {
            Change::SessionEnded(id) => *id,
            other => panic!("{other:?}"),
        }));
        let missing: Vec<_> = done.iter().filter(|id| !known.contains(id)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    assert!(store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}

/// Starts and revokes sessions until two seconds have passed, ignoring errors. Returns the revoked ones.
async fn revoke_many_sessions(store: DieselStore, user: User, round: u64) -> Vec<SessionId> {
    let (end, mut ended) = (Instant::now() + Duration::from_secs(2), Vec::new());
    for number in 0.. {
        if Instant::now() > end && ended.len() >= 10 {
            break;
        }
        let session = session_of(&user.id, session_id(100_000 * round + number), at(0).plus(Seconds::new(number)));
        if let Ok(true) = store.start(&session, &user, None, &Effects::NONE).await
            && let Ok(true) = store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(1)).await
        {
            ended.push(session.id);
        }
    }
    ended
}

async fn ended_sessions(store: &DieselStore) -> HashSet<SessionId> {
    #[derive(QueryableByName)]
    struct Ended {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let question = "SELECT replace(id::text, '-', '') AS id FROM sessions WHERE revoked_at IS NOT NULL";
    let ended = store.read(move |connection| match connection {
        AnyConnection::Postgres(connection) => Ok(diesel::sql_query(question).load::<Ended>(connection)?),
        AnyConnection::Sqlite(_) => Ok(Vec::new()),
    });
    ended.await.unwrap().into_iter().map(|row| SessionId::parse(&row.id).unwrap()).collect()
}
