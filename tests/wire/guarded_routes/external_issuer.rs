//! Another issuer: its keys and tokens, and the server that publishes the keys.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use auth_core::ports::TokenSigner;
use auth_crypto::{Algorithm, KeyRing, RingOptions, SigningKey};
use serde_json::{Map, Value, json};

pub(crate) const RSA: &str = include_str!("../../../crates/auth-crypto/tests/vectors/keys/rsa2048.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../../../crates/auth-crypto/tests/vectors/keys/rsa2048.pub.pem");
pub(crate) const P256: &str = include_str!("../../../crates/auth-crypto/tests/vectors/keys/p256.pem");

/// A key of the other issuer.
pub(crate) struct IssuerKey(KeyRing);

impl IssuerKey {
    pub(crate) fn new(algorithm: Algorithm, pem: &str, kid: &str) -> Self {
        let key = SigningKey::from_pem(Some(algorithm), pem).expect("a key").with_kid(kid).expect("a key ID");
        Self(KeyRing::new(key, Vec::new(), RingOptions::default()).expect("a ring"))
    }

    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> String {
        self.0.sign(claims).expect("a token")
    }

    /// Returns its public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        self.0.jwks()["keys"][0].clone()
    }
}

/// Returns a JWK set.
pub(crate) fn jwks(keys: impl IntoIterator<Item = Value>) -> String {
    json!({"keys": keys.into_iter().collect::<Vec<_>>()}).to_string()
}

/// How the server with the JWK set answers.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Answers with this body.
    Serves(String),
    /// Answers with this status, `Location` header and body.
    Answers(u16, String, String),
    /// Accepts the connection and never answers.
    Hangs,
    /// Closes the connection.
    Breaks,
}

/// A minimal HTTP server that publishes a JWK set.
pub(crate) struct Publisher {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    fetches: AtomicUsize,
    held: Mutex<Vec<TcpStream>>,
}

impl Publisher {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { behaviour: Mutex::new(behaviour), fetches: AtomicUsize::new(0), held: Mutex::default() });
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = served.clone();
                std::thread::spawn(move || served.answer(stream));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jwks.json", self.port)
    }

    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().expect("a lock") = behaviour;
    }

    /// Returns how many requests it has received.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
        let request_line = lines.next().unwrap_or_default();
        if lines.find(String::is_empty).is_none() {
            return;
        }
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let behaviour = self.behaviour.lock().expect("a lock").clone();
        let (status, location, body) = match behaviour {
            Behaviour::Serves(body) if request_line.starts_with("GET /jwks.json ") => (200, String::new(), body),
            Behaviour::Serves(_) => (404, String::new(), String::new()),
            Behaviour::Answers(status, location, body) => (status, location, body),
            Behaviour::Breaks => return,
            Behaviour::Hangs => {
                self.held.lock().expect("a lock").push(stream);
                return;
            }
        };
        let location = if location.is_empty() { location } else { format!("Location: {location}\r\n") };
        let head =
            format!("HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }
}
