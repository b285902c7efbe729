//! Calls that start at one moment, and waiting for what lies outside the test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::{PATIENCE, TestClient};

/// Runs all of them, started at one moment; the results in the order of the calls.
pub async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for (place, call) in calls.into_iter().enumerate() {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            (place, call.await)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Opens so many connections, so that the race that follows is not one of handshakes.
pub async fn connect(client: &TestClient, count: usize) {
    let calls = (0..count).map(|_| {
        let client = client.clone();
        async move { client.get("/healthz").await.status.as_u16() }
    });
    assert_eq!(at_once(calls).await, vec![200; count]);
}

/// Polls until `is_so` answers `true`. Panics after [`PATIENCE`].
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
