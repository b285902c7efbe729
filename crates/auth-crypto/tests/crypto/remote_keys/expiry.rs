//! How long fetched keys are used, also while they cannot be fetched again.

use std::time::Duration;

use auth_core::ports::TokenSigner as _;
use auth_crypto::RemoteOptions;
use tokio::time::{Instant, advance};

use super::source::*;
use super::{SECOND, settle};
use crate::fixture::payload;

#[tokio::test(start_paused = true)]
async fn an_invalid_response_keeps_the_cached_keys() {
    let others: Vec<_> = (0..65).map(|i| issuer(&i.to_string())).collect();
    let many = set_of(&others.iter().collect::<Vec<_>>());
    let long = [set_of(&[&others[0]]), vec![b' '; 256 * 1024]].concat();
    for (body, name) in [
        (&b""[..], "NotKeySet"),
        (b"<!DOCTYPE html>", "NotKeySet"),
        (b"{\"keys\":7}", "NotKeySet"),
        (b"{\"keys\":[]}", "NoUsableKey"),
        (br#"{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}"#, "NoUsableKey"),
        (&many, "TooManyKeys"),
        (&long, "TooLong"),
    ] {
        let (ring, source) = remote_ring();
        source.set(Response::Body(body.to_vec()));
        assert_eq!(verify(&ring, &token(&others[0])).await, unavailable(name));
        source.publish(&[&others[0]]);
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token(&others[0])).await, accepted());
        source.set(Response::Body(body.to_vec()));
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token(&others[1])).await, Outcome::NotOurs);
        assert_eq!(verify(&ring, &token(&others[0])).await, accepted(), "{name}");
        assert_eq!(source.fetches(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn cached_keys_are_used_during_a_refresh() {
    let (ring, source) = remote_ring();
    let (old, new) = (issuer("old"), issuer("new"));
    source.publish(&[&old]);
    assert_eq!(verify(&ring, &token(&old)).await, accepted());
    source.set(Response::After(2 * SECOND, set_of(&[&new])));
    advance(300 * SECOND).await;
    assert_eq!((verify(&ring, &token(&old)).await, source.fetches()), (accepted(), 1), "not older than refresh_after");
    advance(SECOND).await;
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(verify(&ring, &token(&old)).await, accepted());
        settle().await;
    }
    assert_eq!((source.fetches(), start.elapsed()), (2, Duration::ZERO));
    advance(2 * SECOND).await;
    settle().await;
    // A key that was removed from the set is rejected.
    assert_eq!(verify(&ring, &token(&new)).await, accepted());
    assert_eq!(verify(&ring, &token(&old)).await, Outcome::NotOurs);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn cached_keys_are_used_until_max_age_while_fetches_fail() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    source.set(Response::Failure);
    for fetches in 2..=12 {
        advance(300 * SECOND + Duration::from_millis(1)).await;
        let outcome = verify(&ring, &token(&other)).await;
        settle().await;
        // Too soon for another fetch.
        assert_eq!(verify(&ring, &token(&other)).await, accepted());
        settle().await;
        // 11 times 300.001 seconds are less than max_age (3600 seconds); 12 times are more.
        assert_eq!((outcome, source.fetches()), (accepted(), fetches));
    }
    advance(300 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, accepted());
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
}

#[tokio::test(start_paused = true)]
async fn keys_that_expire_within_min_interval_are_unavailable() {
    let (ring, source) = remote_ring_with(RemoteOptions { max_age: 10 * SECOND, ..options() });
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    advance(11 * SECOND).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.fetches()), (unavailable("Expired"), 1));
}
