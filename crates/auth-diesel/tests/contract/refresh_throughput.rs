//! Measures the throughput of refreshes. Ignored by default; run it with `cargo test --release -p auth-diesel --test
//! contract -- --ignored refresh_throughput --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use auth_conformance::{at, session_id, session_of, successor_of};
use auth_core::effects::Effects;
use auth_core::ports::{Sessions, Swap};
use auth_diesel::{DieselStore, PoolSettings};
use auth_tests::postgres::{Cluster, Durability};
use libtest_mimic::Trial;
use tokio::task::{JoinSet, spawn_blocking};

use crate::database::{Database, Kind, user_and_session};
use crate::{on, on_clusters};

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    let name = "refresh_throughput";
    vec![
        match kind {
            Kind::Sqlite => on(kind, name, async move |database: Arc<Database>| {
                measure(kind, database.store(PoolSettings::default()).await).await;
            }),
            Kind::Postgres => on_clusters(name, async move || {
                let cluster = spawn_blocking(|| Cluster::start_with(Durability::Real)).await.unwrap();
                let url = auth_diesel::DatabaseUrl::parse(&cluster.url()).unwrap();
                let store = DieselStore::connect(&url, PoolSettings::default()).await.unwrap();
                store.migrate().await.unwrap();
                measure(kind, store).await;
            }),
        }
        .with_ignored_flag(true),
    ]
}

/// Finds and advances a session, as a refresh does, with several concurrent clients and a session for each.
async fn measure(kind: Kind, store: DieselStore) {
    let (user, _) = user_and_session(&store).await;
    for clients in [1, 8, 32] {
        let done = Arc::new(AtomicU64::new(0));
        let (start, end) = (Instant::now(), Instant::now() + Duration::from_secs(5));
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            let (store, user, done) = (store.clone(), user.clone(), Arc::clone(&done));
            tasks.spawn(async move {
                let session = session_of(&user.id, session_id(1_000 * clients + client), at(0));
                assert!(store.start(&session, &user, None, &Effects::NONE).await.unwrap());
                while Instant::now() < end {
                    let found = store.find_session(session.id).await.unwrap().unwrap().session;
                    let next = successor_of(&found, at(1));
                    assert_eq!(
                        store.advance(found.id, found.generation, next, &Effects::NONE).await.unwrap(),
                        Swap::Done
                    );
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tasks.join_all().await;
        let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
        println!("{kind}, {clients} clients: {rate:.0} refreshes/s");
    }
}
