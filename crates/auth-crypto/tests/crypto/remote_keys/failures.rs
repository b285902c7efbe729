//! Failing key sources, cancelled verifications, and runtimes that shut down during a fetch.

use std::sync::atomic::{AtomicUsize, Ordering};

use auth_crypto::{KeySetError, RemoteOptions};
use tokio::time::{Instant, advance, timeout};

use super::source::*;
use super::{SECOND, settle};

#[tokio::test(start_paused = true)]
async fn a_fetch_continues_if_its_verification_is_cancelled() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Response::After(3 * SECOND, set_of(&[&other])));
    let token = token(&other);
    // Cancels the verification that starts the fetch, and one that waits for it.
    for _ in 0..2 {
        assert!(timeout(SECOND, verify(&ring, &token)).await.is_err());
    }
    let start = Instant::now();
    assert_eq!(verify(&ring, &token).await, accepted());
    assert_eq!((source.fetches(), start.elapsed().as_secs()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_source_is_a_failed_fetch() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Response::Panic);
    for _ in 0..2 {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Interrupted"));
    }
    assert_eq!(source.fetches(), 1);
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
}

/// As when a worker of the web server is stopped during a fetch.
#[test]
fn a_runtime_shutdown_interrupts_the_fetch() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Response::Never);
    let first = runtime();
    let cancelled = first.block_on(async { timeout(SECOND, verify(&ring, &token(&other))).await });
    assert!(cancelled.is_err());
    drop(first);
    source.publish(&[&other]);
    runtime().block_on(async {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Interrupted"));
        advance(60 * SECOND).await;
        assert_eq!(verify(&ring, &token(&other)).await, accepted());
    });
}

static FAILURES: AtomicUsize = AtomicUsize::new(0);

fn count(error: &KeySetError) {
    assert!(matches!(error, KeySetError::Fetch(_)));
    FAILURES.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn failures_are_reported_even_while_cached_keys_are_used() {
    let (ring, source) = remote_ring_with(RemoteOptions { on_failure: Some(count), ..options() });
    let other = issuer("a");
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    assert_eq!(FAILURES.load(Ordering::SeqCst), 1);
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    source.set(Response::Failure);
    advance(301 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    settle().await;
    assert_eq!((FAILURES.load(Ordering::SeqCst), source.fetches()), (2, 3));
}
