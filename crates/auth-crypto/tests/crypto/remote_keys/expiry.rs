//! How long fetched keys are used, and what happens when they cannot be refreshed.

use std::time::Duration;

use auth_core::ports::TokenSigner as _;
use auth_crypto::RemoteOptions;
use tokio::time::{Instant, advance};

use super::source::*;
use super::{SECOND, settle};
use crate::fixture::payload;

#[tokio::test(start_paused = true)]
async fn garbage_is_a_failure_and_keeps_the_old_keys() {
    let others: Vec<_> = (0..65).map(|i| issuer(&i.to_string())).collect();
    let many = set_of(&others.iter().collect::<Vec<_>>());
    let long = [set_of(&[&others[0]]), vec![b' '; 256 * 1024]].concat();
    for (answer, name) in [
        (&b""[..], "NotKeySet"),
        (b"<!DOCTYPE html>", "NotKeySet"),
        (b"{\"keys\":7}", "NotKeySet"),
        (b"{\"keys\":[]}", "NoUsableKey"),
        (br#"{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}"#, "NoUsableKey"),
        (&many, "TooManyKeys"),
        (&long, "TooLong"),
    ] {
        let (ring, source) = remote_ring();
        source.set(Answer::Text(answer.to_vec()));
        assert_eq!(verify(&ring, &token(&others[0])).await, unavailable(name));
        source.publish(&[&others[0]]);
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token(&others[0])).await, good());
        source.set(Answer::Text(answer.to_vec()));
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token(&others[1])).await, Seen::NotOurs);
        assert_eq!(verify(&ring, &token(&others[0])).await, good(), "{name}");
        assert_eq!(source.asked(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn old_keys_are_used_while_new_ones_are_fetched() {
    let (ring, source) = remote_ring();
    let (old, new) = (issuer("old"), issuer("new"));
    source.publish(&[&old]);
    assert_eq!(verify(&ring, &token(&old)).await, good());
    source.set(Answer::After(2 * SECOND, set_of(&[&new])));
    advance(300 * SECOND).await;
    assert_eq!((verify(&ring, &token(&old)).await, source.asked()), (good(), 1), "not older yet");
    advance(SECOND).await;
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(verify(&ring, &token(&old)).await, good());
        settle().await;
    }
    assert_eq!((source.asked(), start.elapsed()), (2, Duration::ZERO));
    advance(2 * SECOND).await;
    settle().await;
    // A key that left the set is no longer one.
    assert_eq!(verify(&ring, &token(&new)).await, good());
    assert_eq!(verify(&ring, &token(&old)).await, Seen::NotOurs);
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn old_keys_are_used_until_their_time_is_up_if_no_new_ones_come() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    source.set(Answer::Failure);
    for fetches in 2..=12 {
        advance(300 * SECOND + Duration::from_millis(1)).await;
        let seen = verify(&ring, &token(&other)).await;
        settle().await;
        // The next one is too soon for another fetch.
        assert_eq!(verify(&ring, &token(&other)).await, good());
        settle().await;
        // Eleven times 300 seconds and a bit are within an hour, twelve times are not.
        assert_eq!((seen, source.asked()), (good(), fetches));
    }
    advance(300 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, good());
    source.publish(&[&other]);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, good());
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_too_old_too_soon_say_so() {
    let (ring, source) = remote_ring_with(RemoteOptions { max_age: 10 * SECOND, ..options() });
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    advance(11 * SECOND).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (unavailable("TooOld"), 1));
}
