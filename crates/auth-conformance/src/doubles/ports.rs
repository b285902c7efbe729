//! All ports of the services as doubles.

use std::sync::Arc;

use auth_accounts::service::Ports;

use super::{FixedClock, PlainHasher, PlainSecret, PlainSigner, RecordedEvents, SeededRandomness};
use crate::MemoryStore;

/// Every port as its double, with an empty store and a stopped clock. Protects nothing.
///
/// ```
/// use auth_conformance::{MemoryStore, memory_ports};
/// use auth_accounts::service::Ports;
/// use std::sync::Arc;
/// // Keep a handle to a double to inspect it afterwards.
/// let store = Arc::new(MemoryStore::default());
/// let ports = Ports { store: store.clone(), ..memory_ports() };
/// assert_eq!(store.sessions(), []);
/// # drop(ports);
/// ```
pub fn memory_ports() -> Ports {
    let application_secret = Arc::new(PlainSecret::default());
    Ports {
        store: Arc::new(MemoryStore::default()),
        signer: Arc::new(PlainSigner::default()),
        hasher: Arc::new(PlainHasher::default()),
        clock: Arc::new(FixedClock::default()),
        randomness: Arc::new(SeededRandomness::default()),
        keyed_hash: application_secret.clone(),
        secret_box: application_secret,
        events: Arc::new(RecordedEvents::default()),
        auth_cache: None,
    }
}
