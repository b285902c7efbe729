//! Own keys and those of another issuer: what causes a fetch, and what is answered meanwhile. Time stands still except
//! where a test moves it, or everybody waits.

// Clippy knows test functions only, not what they share.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod source;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::ports::{TokenSigner as _, VerifyError};
use auth_core::token::{Payload, RawToken};
use auth_crypto::{Algorithm, KeyRing, KeySetError, RemoteOptions, SigningKey};
use aws_lc_rs::hmac::HMAC_SHA256;
use serde_json::json;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, advance, timeout};

use source::*;
use support::{ED25519, P256, base64url, hmac_token, part, payload, ring, signing_key};

const SECOND: Duration = Duration::from_secs(1);

/// Lets the tasks that nobody waits for come to their end.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_before_a_token_asks_for_it() {
    let (ring, source) = world();
    settle().await;
    assert_eq!(source.asked(), 0);
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    assert_eq!(verify(&ring, &token(&other)).await, good());
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_told_whose_key_it_was() {
    let (ring, source) = world();
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
    // The last is a token of our key that another issuer has given another name.
    for (own, signer) in [
        (signing_key(Algorithm::Hs256), signing_key(Algorithm::Hs256)),
        (named("own"), named("own")),
        (named("own"), named("unknown")),
    ] {
        let (ring, source) = world_of(support::ring(own), options());
        source.set(Answer::Never);
        let start = Instant::now();
        assert_eq!(verify(&ring, &token(&support::ring(signer))).await, good());
        assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, good());
        assert_eq!((source.asked(), start.elapsed()), (0, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_have_signed_never_causes_a_fetch() {
    let (ring, source) = world();
    source.set(Answer::Never);
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
    let good = r#"{"alg":"EdDSA","kid":"a"}"#;
    // One letter too many, stray bits, and payloads that are no JSON object.
    tokens.push(format!("{}A.{payload}.{signature}", base64url(good)));
    tokens.push(format!("{}.{payload}.{signature}AAA", base64url(good)));
    tokens.push(format!("{}.{payload}.AB", base64url(good)));
    for payload in ["[]", "7", "{", "\"x\""] {
        tokens.push(format!("{}.{}.{signature}", base64url(good), base64url(payload)));
    }
    tokens.push(format!("{}.AB.{signature}", base64url(good)));
    for token in tokens {
        assert_eq!(verify(&ring, &token).await, Seen::NotOurs, "{token}");
    }
    assert_eq!(source.asked(), 0);
    assert_eq!(verify(&ring, &with_header(good)).await, unavailable("TimedOut"), "the counterexample");
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_causes_one_fetch_in_an_interval() {
    let (ring, source) = world();
    let (old, new) = (issuer("old"), issuer("new"));
    source.publish(&[&old]);
    assert_eq!(verify(&ring, &token(&old)).await, good());
    // The other issuer changes its key.
    source.publish(&[&old, &new]);
    advance(29 * SECOND).await;
    for name in ["new", "b", "c"] {
        assert_eq!(verify(&ring, &token(&issuer(name))).await, Seen::NotOurs, "{name}");
        assert_eq!(verify(&ring, &token(&new)).await, Seen::NotOurs, "too soon");
    }
    assert_eq!(source.asked(), 1);
    advance(SECOND).await;
    assert_eq!(verify(&ring, &token(&new)).await, good());
    for _ in 0..5 {
        assert_eq!(verify(&ring, &token(&issuer("nobody"))).await, Seen::NotOurs);
    }
    assert_eq!(source.asked(), 2);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&issuer("nobody"))).await, Seen::NotOurs);
    assert_eq!(source.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_for_an_unknown_kid_is_no_outage_while_there_are_keys() {
    let (ring, source) = world();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    source.set(Answer::Failure);
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&issuer("b"))).await, Seen::NotOurs);
    assert_eq!((source.asked(), verify(&ring, &token(&other)).await), (2, good()));
}

/// Also without any interval between fetches: whoever came while one was under way is served by that.
#[tokio::test(start_paused = true)]
async fn concurrent_verifications_wait_for_one_fetch() {
    for min_interval in [30 * SECOND, Duration::ZERO] {
        let (ring, source) = world_with(RemoteOptions { min_interval, ..options() });
        let ring = Arc::new(ring);
        let others: Vec<_> = (0..40).map(|i| issuer(&i.to_string())).collect();
        // Half of them are not in the set.
        source.set(Answer::After(3 * SECOND, set_of(&others[..20].iter().collect::<Vec<_>>())));
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (i, other) in others.iter().enumerate() {
            let (ring, token) = (Arc::clone(&ring), token(other));
            tasks.spawn(async move { (i, verify(&ring, &token).await) });
        }
        for (i, seen) in tasks.join_all().await {
            assert_eq!(seen, if i < 20 { good() } else { Seen::NotOurs }, "{i}");
        }
        assert_eq!((source.asked(), start.elapsed().as_secs()), (1, 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_wait_for_one_fetch() {
    let (ring, source) = world();
    let (ring, other) = (Arc::new(ring), issuer("a"));
    source.publish(&[&other]);
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (ring, token) = (Arc::clone(&ring), token(&other));
        tasks.spawn(async move { verify(&ring, &token).await });
    }
    assert!(tasks.join_all().await.into_iter().all(|seen| seen == good()));
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_with_known_keys_do_not_wait_while_another_does() {
    let (ring, source) = world();
    let (ring, other) = (Arc::new(ring), issuer("a"));
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    advance(30 * SECOND).await;
    source.set(Answer::Never);
    let waiting = tokio::spawn({
        let (ring, token) = (Arc::clone(&ring), token(&issuer("b")));
        async move { verify(&ring, &token).await }
    });
    settle().await;
    let start = Instant::now();
    assert_eq!(source.asked(), 2);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, good());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(waiting.await.unwrap(), Seen::NotOurs);
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_answer_is_an_outage_and_fetches_keep_their_distance() {
    let (ring, source) = world();
    let other = issuer("a");
    for _ in 0..3 {
        assert_eq!(verify(&ring, &token(&other)).await, unavailable("Fetch"));
    }
    assert_eq!(source.asked(), 1);
    let raw = RawToken::parse(&token(&other)).unwrap();
    let Err(VerifyError::KeysUnavailable(error)) = ring.verify(&raw).await else { panic!("an outage") };
    assert_eq!(error.source().unwrap().to_string(), "connection refused");
    advance(30 * SECOND - Duration::from_millis(1)).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (unavailable("Fetch"), 1));
    // What is nobody's is nobody's.
    let secret = hmac_token(HMAC_SHA256, b"x", br#"{"alg":"HS256","kid":"a"}"#, b"{}");
    assert_eq!(verify(&ring, &secret).await, Seen::NotOurs);
    source.publish(&[&other]);
    advance(Duration::from_millis(1)).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (good(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_takes_no_longer_than_it_may() {
    let (ring, source) = world();
    let other = issuer("a");
    source.set(Answer::Never);
    let start = Instant::now();
    assert_eq!(verify(&ring, &token(&other)).await, unavailable("TimedOut"));
    assert_eq!(start.elapsed().as_secs(), 5);
    // Measured from the end of the one before.
    advance(29 * SECOND).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (unavailable("TimedOut"), 1));
    advance(SECOND).await;
    source.set(Answer::After(4 * SECOND, set_of(&[&other])));
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (good(), 2));
}

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
        let (ring, source) = world();
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
    let (ring, source) = world();
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
    let (ring, source) = world();
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
    let (ring, source) = world_with(RemoteOptions { max_age: 10 * SECOND, ..options() });
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    advance(11 * SECOND).await;
    assert_eq!((verify(&ring, &token(&other)).await, source.asked()), (unavailable("TooOld"), 1));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_signature_of_a_known_key_causes_no_fetch() {
    let (ring, source) = world();
    let other = issuer("a");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    advance(60 * SECOND).await;
    let key = SigningKey::from_pem(None, P256).unwrap().with_kid("a").unwrap();
    // Forged, of another key with the same name, and of another algorithm besides.
    for token in [forged(&other), token(&issuer("a")), token(&support::ring(key))] {
        assert_eq!(verify(&ring, &token).await, Seen::NotOurs);
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_known_name_leaves_that_key_only() {
    let (ring, source) = world();
    let pem = generate();
    let named = |kid: &str| support::ring(SigningKey::from_pem(None, &pem).unwrap().with_kid(kid).unwrap());
    source.publish(&[&issuer("a"), &named("b")]);
    assert_eq!(verify(&ring, &token(&named("b"))).await, good());
    assert_eq!(verify(&ring, &token(&named("a"))).await, Seen::NotOurs, "made by b, names a");
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&named("c"))).await, Seen::NotOurs, "made by b, names none of them");
}

fn generate() -> String {
    auth_crypto::generate_ed25519_pem().unwrap().to_string()
}

/// A token of a key, without its `kid`.
fn unnamed(key: &SigningKey, pem: &str) -> String {
    use aws_lc_rs::signature::Ed25519KeyPair;
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    let der = pem::parse(pem).unwrap().into_contents();
    let pair = Ed25519KeyPair::from_pkcs8(&der).unwrap();
    let message = format!("{}.{}", base64url(r#"{"alg":"EdDSA"}"#), base64url(json!(payload()).to_string()));
    format!("{message}.{}", base64url(pair.sign(message.as_bytes())))
}

#[tokio::test(start_paused = true)]
async fn a_token_without_kid_is_tried_with_all_keys_and_fetches_by_age_only() {
    let (ring, source) = world();
    let pem = generate();
    let key = SigningKey::from_pem(None, &pem).unwrap();
    let (mine, nobodys) = (unnamed(&key, &pem), unnamed(&SigningKey::from_pem(None, ED25519).unwrap(), ED25519));
    let es256 = support::ring(SigningKey::from_pem(None, P256).unwrap());
    source.publish(&[&issuer("a"), &es256, &support::ring(key)]);
    assert_eq!((verify(&ring, &mine).await, source.asked()), (good(), 1));
    advance(299 * SECOND).await;
    assert_eq!((verify(&ring, &nobodys).await, source.asked()), (Seen::NotOurs, 1));
    advance(2 * SECOND).await;
    assert_eq!(verify(&ring, &nobodys).await, Seen::NotOurs);
    settle().await;
    assert_eq!(source.asked(), 2);
    source.set(Answer::Failure);
    advance(3601 * SECOND).await;
    assert_eq!(verify(&ring, &mine).await, unavailable("Fetch"));
}

/// CVE-2015-9235 and its kind: the public key as a shared secret.
#[tokio::test(start_paused = true)]
async fn a_symmetric_algorithm_is_never_verified_with_remote_keys() {
    let (ring, source) = world();
    let other = issuer("a");
    let jwk = other.jwks()["keys"][0].clone();
    let secret = json!({"kty": "oct", "k": base64url(support::OTHER_SECRET), "alg": "HS256", "kid": "s"});
    source.set(Answer::Text(json!({"keys": [secret, jwk]}).to_string().into_bytes()));
    assert_eq!(verify(&ring, &token(&other)).await, good());
    let x = part(&format!("{}.", base64url(jwk.to_string())), 0)["x"].clone();
    for (secret, kid) in [(support::OTHER_SECRET, "s"), (x.as_str().unwrap(), "a")] {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        let token = hmac_token(HMAC_SHA256, secret.as_bytes(), header.as_bytes(), b"{}");
        advance(30 * SECOND).await;
        assert_eq!(verify(&ring, &token).await, Seen::NotOurs, "{kid}");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn both_issuers_may_have_a_key_of_the_same_name() {
    let own = || SigningKey::from_pem(None, ED25519).unwrap().with_kid("1").unwrap();
    let (ring, source) = world_of(ring(own()), options());
    let other = issuer("1");
    source.publish(&[&other]);
    assert_eq!(verify(&ring, &token(&other)).await, good());
    assert_eq!(verify(&ring, &ring.sign(&payload()).unwrap()).await, good());
    // It is a known name, whoever has it.
    source.publish(&[&issuer("2")]);
    advance(301 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, good());
    settle().await;
    advance(30 * SECOND).await;
    assert_eq!(verify(&ring, &token(&other)).await, Seen::NotOurs);
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_verification_that_is_given_up_leaves_its_fetch_to_the_others() {
    let (ring, source) = world();
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
    let (ring, source) = world();
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
    let (ring, source) = world();
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
    let (ring, source) = world_with(RemoteOptions { on_failure: Some(count), ..options() });
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

#[tokio::test(start_paused = true)]
async fn every_asymmetric_algorithm_is_verified_for_a_service_that_has_no_key() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let (reader, source) = world_of(KeyRing::verifying(Vec::new()).unwrap(), options());
        let other = ring(signing_key(algorithm));
        source.publish(&[&other]);
        assert_eq!(verify(&reader, &token(&other)).await, good(), "{algorithm}");
        assert_eq!(verify(&reader, &forged(&other)).await, Seen::NotOurs, "{algorithm}");
        assert!(reader.sign(&Payload::new()).is_err());
        assert_eq!(reader.own().algorithm(), None);
    }
}
