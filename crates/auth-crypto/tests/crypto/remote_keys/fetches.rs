//! Which tokens cause a fetch, and which verifications wait for it.

use std::sync::Arc;
use std::time::Duration;

use auth_core::ports::{TokenSigner as _, VerifyError};
use auth_core::token::RawToken;
use auth_crypto::{Algorithm, RemoteOptions, SigningKey};
use aws_lc_rs::hmac::HMAC_SHA256;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance};

use super::source::*;
use super::{SECOND, settle};
use crate::fixture::{self, P256, base64url, hmac_token, payload, signing_key};

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_on_demand() {
    let (ring, source) = remote_ring();
    settle().await;
    assert_eq!(source.fetches(), 0);
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_result_tells_own_keys_from_those_of_the_issuer() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.publish(&[&other]);
    for (token, is_own) in [(ring.sign(&payload()).unwrap(), true), (token(&other), false)] {
        let recognised = ring.verify(&RawToken::parse(&token).unwrap()).await.unwrap();
        assert_eq!((recognised.payload, recognised.is_own), (payload(), is_own));
    }
}

#[tokio::test(start_paused = true)]
async fn own_tokens_never_wait_for_a_fetch() {
    let named = |kid: &str| SigningKey::from_pem(None, P256).unwrap().with_kid(kid).unwrap();
    // The last token is signed with an own key, but has an unknown key ID.
    for (own, signer) in [
        (signing_key(Algorithm::Hs256), signing_key(Algorithm::Hs256)),
        (named("own"), named("own")),
        (named("own"), named("unknown")),
    ] {
        let (ring, source) = remote_ring_of(fixture::ring(own), options());
        source.set(Response::Never);
        let start = Instant::now();
        assert_eq!(verify(&ring, &token(&fixture::ring(signer))).await, accepted());
        assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, accepted());
        assert_eq!((source.fetches(), start.elapsed()), (0, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_no_issuer_can_have_signed_cause_no_fetch() {
    let (ring, source) = remote_ring();
    source.set(Response::Never);
    let other = token(&issuer("a"));
    let [_, payload, signature] = other.split('.').collect::<Vec<_>>().try_into().unwrap();
    let with_header = |header: &str| format!("{}.{payload}.{signature}", base64url(header));
    let mut tokens: Vec<_> = [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":"a"}"#,
        r#"{"alg":"HS512","kid":"a"}"#,
        r#"{"alg":"none","kid":"a"}"#,
        r#"{"alg":"ES512","kid":"a"}"#,
        r#"{"alg":"ES256K","kid":"a"}"#,
        r#"{"alg":"eddsa","kid":"a"}"#,
        r#"{"alg":"RSA-OAEP","kid":"a"}"#,
        r#"{"kid":"a"}"#,
        r#"{"alg":"EdDSA","kid":""}"#,
        r#"{"alg":"EdDSA","kid":"../a"}"#,
        r#"{"alg":"EdDSA","kid":7}"#,
        r#"{"alg":"EdDSA","kid":null}"#,
        r#"{"alg":"EdDSA","kid":"a","kid":"b"}"#,
        r#"{"alg":"EdDSA","kid":"a","crit":["exp"]}"#,
        r#"{"alg":"EdDSA","kid":"a","b64":true}"#,
        r#"["EdDSA"]"#,
        r#"{"alg":"EdDSA""#,
    ]
    .map(with_header)
    .into();
    let valid = r#"{"alg":"EdDSA","kid":"a"}"#;
    // Wrong length, non-zero trailing bits, and payloads that are not a JSON object.
    tokens.push(format!("{}A.{payload}.{signature}", base64url(valid)));
    tokens.push(format!("{}.{payload}.{signature}AAA", base64url(valid)));
    tokens.push(format!("{}.{payload}.AB", base64url(valid)));
    for payload in ["[]", "7", "{", "\"x\""] {
        tokens.push(format!("{}.{}.{signature}", base64url(valid), base64url(payload)));
    }
    tokens.push(format!("{}.AB.{signature}", base64url(valid)));
    for token in tokens {
        assert_eq!(verify(&ring, &token).await, Outcome::NotOurs, "{token}");
    }
    assert_eq!(source.fetches(), 0);
    assert_eq!(verify(&ring, &with_header(valid)).await, unavailable("TimedOut"), "a well-formed token causes a fetch");
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_causes_at_most_one_fetch_per_interval() {
    let (ring, source) = remote_ring();
    let (old, new) = (issuer("old"), issuer("new"));
    source.publish(&[&old]);
    assert_eq!(verify(&ring, &token(&old)).await, accepted());
    // The other issuer adds a key.
    source.publish(&[&old, &new]);
    advance(29 * SECOND).await;
    for name in ["new", "b", "c"] {
        assert_eq!(verify(&ring, &token(&issuer(name))).await, Outcome::NotOurs, "{name}");
        assert_eq!(verify(&ring, &token(&new)).await, Outcome::NotOurs, "too soon");
    }
    assert_eq!(source.fetches(), 1);
    advance(SECOND).await;
    assert_eq!(verify(&ring, &token(&new)).await, accepted());
    for _ in 0..5 {
        assert_eq!(verify(&ring, &token(&issuer("unknown"))).await, Outcome::NotOurs);
    }
    assert_eq!(source.fetches(), 2);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&issuer("unknown"))).await, Outcome::NotOurs);
    assert_eq!(source.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_for_an_unknown_kid_is_not_an_outage() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    source.set(Response::Failure);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&issuer("b"))).await, Outcome::NotOurs);
    assert_eq!((source.fetches(), verify(&ring, &token(&other)).await), (2, accepted()));
}

/// Also with a `min_interval` of zero: a verification that starts during a fetch uses its result.
#[tokio::test(start_paused = true)]
async fn concurrent_verifications_wait_for_one_fetch() {
    for min_interval in [30 * SECOND, Duration::ZERO] {
        let (ring, source) = remote_ring_with(RemoteOptions { min_interval, ..options() });
        let ring = Arc::new(ring);
        let others: Vec<_> = (0..40).map(|i| issuer(&i.to_string())).collect();
        // Half of them are not in the set.
        source.set(Response::After(3 * SECOND, set_of(&others[..20].iter().collect::<Vec<_>>())));
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (i, other) in others.iter().enumerate() {
            let (ring, token) = (Arc::clone(&ring), token(other));
            tasks.spawn(async move { (i, verify(&ring, &token).await) });
        }
        for (i, outcome) in tasks.join_all().await {
            assert_eq!(outcome, if i < 20 { accepted() } else { Outcome::NotOurs }, "{i}");
        }
        assert_eq!((source.fetches(), start.elapsed().as_secs()), (1, 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn verifications_on_several_threads_wait_for_one_fetch() {
    let (ring, source) = remote_ring();
    let (ring, other) = (Arc::new(ring), issuer("a"));
    source.publish(&[&other]);
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (ring, token) = (Arc::clone(&ring), token(&other));
        tasks.spawn(async move { verify(&ring, &token).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|outcome| outcome == accepted()));
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_with_known_keys_do_not_wait_for_a_fetch_in_flight() {
    let (ring, source) = remote_ring();
    let (ring, other) = (Arc::new(ring), issuer("a"));
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    advance(30 * SECOND).await;
    source.set(Response::Never);
    let waiting = tokio::spawn({
        let (ring, token) = (Arc::clone(&ring), token(&issuer("b")));
        async move { verify(&ring, &token).await }
    });
    settle().await;
    let start = Instant::now();
    assert_eq!(source.fetches(), 2);
    assert_eq!(verify(&ring, &token(&other)).await, accepted());
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, accepted());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(waiting.await.unwrap(), Outcome::NotOurs);
}

#[tokio::test(start_paused = true)]
async fn without_keys_verification_is_unavailable_and_fetches_are_limited() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    for _ in 0..3 {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    }
    assert_eq!(source.fetches(), 1);
    let raw = RawToken::parse(&token(&other)).unwrap();
    let Err(VerifyError::KeysUnavailable(error)) = ring.verify(&raw).await else { panic!("expected KeysUnavailable") };
    assert_eq!(error.source().unwrap().to_string(), "connection refused");
    advance(30 * SECOND - Duration::from_millis(1)).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.fetches()), (unavailable("Fetch"), 1));
    // A token that neither issuer can have signed is rejected.
    let secret = hmac_token(HMAC_SHA256, b"x", br#"{"alg":"HS256","kid":"a"}"#, b"{}");
    assert_eq!(verify(&ring, &secret).await, Outcome::NotOurs);
    source.publish(&[&other]);
    advance(Duration::from_millis(1)).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.fetches()), (accepted(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_times_out() {
    let (ring, source) = remote_ring();
    let other = issuer("a");
    source.set(Response::Never);
    let start = Instant::now();
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("TimedOut"));
    assert_eq!(start.elapsed().as_secs(), 5);
    // min_interval is measured from the end of the previous fetch.
    advance(29 * SECOND).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.fetches()), (unavailable("TimedOut"), 1));
    advance(SECOND).await;
    source.set(Response::After(4 * SECOND, set_of(&[&other])));
    assert_eq!((verify(&ring, &token(&other)).await, source.fetches()), (accepted(), 2));
}
