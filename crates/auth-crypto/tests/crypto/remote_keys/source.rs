//! Another issuer, and a source of its keys that a test controls.

use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ports::{TokenSigner as _, VerifyError};
use auth_core::token::{Payload, RawToken};
use auth_crypto::{
    Algorithm, KeyRing, KeySetError, KeySource, RemoteKeyRing, RemoteOptions, SigningKey, generate_ed25519_pem,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::{payload, ring, signing_key};

/// What the source does from now on.
#[derive(Clone)]
pub(crate) enum Answer {
    Text(Vec<u8>),
    After(Duration, Vec<u8>),
    Failure,
    Never,
    Panic,
}

#[derive(Clone)]
pub(crate) struct Source {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

impl Source {
    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn publish(&self, issuers: &[&KeyRing]) {
        self.set(Answer::Text(set_of(issuers)));
    }

    /// How many fetches have started.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Source {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Answer::Text(text) => Ok(text),
            Answer::After(delay, text) => {
                sleep(delay).await;
                Ok(text)
            }
            Answer::Failure => Err("connection refused".into()),
            Answer::Never => pending().await,
            Answer::Panic => panic!("a fault of the source"),
        }
    }
}

pub(crate) fn options() -> RemoteOptions {
    RemoteOptions {
        refresh_after: Duration::from_secs(300),
        max_age: Duration::from_secs(3600),
        min_interval: Duration::from_secs(30),
        fetch_timeout: Duration::from_secs(5),
        on_failure: None,
    }
}

/// A ring that signs with HS256, and its source, which fails until a test changes it.
pub(crate) fn remote_ring_with(options: RemoteOptions) -> (RemoteKeyRing, Source) {
    remote_ring_of(ring(signing_key(Algorithm::Hs256)), options)
}

pub(crate) fn remote_ring_of(own: KeyRing, options: RemoteOptions) -> (RemoteKeyRing, Source) {
    let source = Source { answer: Arc::new(Mutex::new(Answer::Failure)), asked: Arc::default() };
    (RemoteKeyRing::new(own, Box::new(source.clone()), options), source)
}

pub(crate) fn remote_ring() -> (RemoteKeyRing, Source) {
    remote_ring_with(options())
}

/// An issuer with a new key of this id.
pub(crate) fn issuer(kid: &str) -> KeyRing {
    ring(SigningKey::from_pem(None, &generate_ed25519_pem().unwrap()).unwrap().with_kid(kid).unwrap())
}

pub(crate) fn set_of(issuers: &[&KeyRing]) -> Vec<u8> {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwks()["keys"][0].clone()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

pub(crate) fn token(issuer: &KeyRing) -> String {
    issuer.sign(&payload()).unwrap()
}

/// The same token with another signature.
pub(crate) fn forged(issuer: &KeyRing) -> String {
    let token = token(issuer);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{message}.{other}{}", &signature[1..])
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Ok(Payload),
    NotOurs,
    /// For this variant of [`KeySetError`].
    Unavailable(String),
}

pub(crate) fn good() -> Seen {
    Seen::Ok(payload())
}

pub(crate) fn unavailable(name: &str) -> Seen {
    Seen::Unavailable(name.to_owned())
}

pub(crate) async fn verify(ring: &RemoteKeyRing, token: &str) -> Seen {
    match ring.verify(&RawToken::parse(token).unwrap()).await {
        Ok(recognised) => Seen::Ok(recognised.payload),
        Err(VerifyError::NotOurs) => Seen::NotOurs,
        Err(VerifyError::KeysUnavailable(source)) => {
            let name = format!("{:?}", source.downcast::<KeySetError>().unwrap());
            Seen::Unavailable(name.split('(').next().unwrap().to_owned())
        }
    }
}
