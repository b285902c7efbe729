//! Key sources that fail, callers that are cancelled, and runtimes that end.

use std::sync::atomic::{AtomicUsize, Ordering};

use auth_crypto::{KeySetError, RemoteOptions};
use tokio::time::{Instant, advance, timeout};

use super::source::*;
use super::{SECOND, settle};

#[tokio::test(start_paused = true)]
async fn a_verification_that_is_given_up_leaves_its_fetch_to_the_others() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Answer::After(3 * SECOND, set_of(&[&other])));
    let text = token(&other);
    // Both the one that started it and one that waits.
    for _ in 0..2 {
        assert!(timeout(SECOND, verify(&ring, &text)).await.is_err());
    }
    let start = Instant::now();
    assert_eq!(verify(&ring, &text).await, good());
    assert_eq!((source.asked(), start.elapsed().as_secs()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_a_failure_and_nobody_is_stuck() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Answer::Panic);
    for _ in 0..2 {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Interrupted"));
    }
    assert_eq!(source.asked(), 1);
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, good());
}

/// A worker of the web server is stopped while it fetches.
#[test]
fn a_runtime_that_ends_leaves_no_fetch_under_way() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Answer::Never);
    let first = runtime();
    let given_up = first.block_on(async { timeout(SECOND, verify(&ring, &token(&other))).await });
    assert!(given_up.is_err());
    drop(first);
    source.publish(&[&other]);
    runtime().block_on(async {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Interrupted"));
        advance(60 * SECOND).await;
        assert_eq!(verify(&ring, &token(&other)).await, good());
    });
}

static FAILURES: AtomicUsize = AtomicUsize::new(0);

fn count(error: &KeySetError) {
    assert!(matches!(error, KeySetError::Fetch(_)));
    FAILURES.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn failures_are_reported_also_where_old_keys_hide_them() {
    let (ring, source) = remote_ring_with(RemoteOptions { on_failure: Some(count), ..options() });
    let other = issuer("a");
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    assert_eq!(FAILURES.load(Ordering::SeqCst), 1);
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, good());
    source.set(Answer::Failure);
    advance(301 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, good());
    settle().await;
    assert_eq!((FAILURES.load(Ordering::SeqCst), source.asked()), (2, 3));
}
