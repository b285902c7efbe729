//! Concurrent calls, and polling for a condition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::{PATIENCE, TestClient};

/// Runs all calls concurrently, released by one barrier; returns the results in the order of the calls.
pub async fn run_concurrently<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for (index, call) in calls.into_iter().enumerate() {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            (index, call.await)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Opens `count` connections, so that the race that follows does not depend on handshakes.
pub async fn open_connections(client: &TestClient, count: usize) {
    let calls = (0..count).map(|_| {
        let client = client.clone();
        async move { client.get("/healthz").await.status.as_u16() }
    });
    assert_eq!(run_concurrently(calls).await, vec![200; count]);
}

/// Polls `condition` until it returns `true`. Panics after [`PATIENCE`].
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
