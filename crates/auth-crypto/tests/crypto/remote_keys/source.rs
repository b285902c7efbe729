//! Another issuer, and a mock source of its keys.

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

/// How the source responds to a fetch.
#[derive(Clone)]
pub(crate) enum Response {
    Body(Vec<u8>),
    After(Duration, Vec<u8>),
    Failure,
    Never,
    Panic,
}

/// A source whose response a test sets, and which counts fetches.
#[derive(Clone)]
pub(crate) struct Source {
    response: Arc<Mutex<Response>>,
    fetches: Arc<AtomicUsize>,
}

impl Source {
    pub(crate) fn set(&self, response: Response) {
        *self.response.lock().unwrap() = response;
    }

    pub(crate) fn publish(&self, issuers: &[&KeyRing]) {
        self.set(Response::Body(set_of(issuers)));
    }

    /// Returns the number of fetches that have started.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Source {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let response = self.response.lock().unwrap().clone();
        match response {
            Response::Body(body) => Ok(body),
            Response::After(delay, body) => {
                sleep(delay).await;
                Ok(body)
            }
            Response::Failure => Err("connection refused".into()),
            Response::Never => pending().await,
            Response::Panic => panic!("the source panics"),
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

/// Returns a ring that signs with HS256, and its source, which fails until a test sets another response.
pub(crate) fn remote_ring_with(options: RemoteOptions) -> (RemoteKeyRing, Source) {
    remote_ring_of(ring(signing_key(Algorithm::Hs256)), options)
}

pub(crate) fn remote_ring_of(own: KeyRing, options: RemoteOptions) -> (RemoteKeyRing, Source) {
    let source = Source { response: Arc::new(Mutex::new(Response::Failure)), fetches: Arc::default() };
    (RemoteKeyRing::new(own, Box::new(source.clone()), options), source)
}

pub(crate) fn remote_ring() -> (RemoteKeyRing, Source) {
    remote_ring_with(options())
}

/// Returns an issuer with a new key and this key ID.
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

/// Returns a token of `issuer` with an invalid signature.
pub(crate) fn forged(issuer: &KeyRing) -> String {
    let token = token(issuer);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{message}.{other}{}", &signature[1..])
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok(Payload),
    NotOurs,
    /// The name of the variant of [`KeySetError`].
    Unavailable(String),
}

pub(crate) fn accepted() -> Outcome {
    Outcome::Ok(payload())
}

pub(crate) fn unavailable(name: &str) -> Outcome {
    Outcome::Unavailable(name.to_owned())
}

pub(crate) async fn verify(ring: &RemoteKeyRing, token: &str) -> Outcome {
    match ring.verify(&RawToken::parse(token).unwrap()).await {
        Ok(recognised) => Outcome::Ok(recognised.payload),
        Err(VerifyError::NotOurs) => Outcome::NotOurs,
        Err(VerifyError::KeysUnavailable(source)) => {
            let name = format!("{:?}", source.downcast::<KeySetError>().unwrap());
            Outcome::Unavailable(name.split('(').next().unwrap().to_owned())
        }
    }
}
