//! All connections of a server: which one gives way to another.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::throttle::network;

use super::ConnectionLimits;
use super::state::{Phase, State};
use crate::client::TrustedProxies;

/// The connections of all workers of a server.
#[derive(Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    trusted_proxies: TrustedProxies,
    /// How many are open and not closing.
    open: Arc<AtomicUsize>,
    clients: Mutex<HashMap<IpAddr, Client>>,
}

/// The connections of one client.
#[derive(Debug, Default)]
struct Client {
    unanswered: Arc<AtomicUsize>,
    connections: Vec<Arc<State>>,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, trusted_proxies: TrustedProxies) -> Self {
        Self { limits, trusted_proxies, open: Arc::default(), clients: Mutex::default() }
    }

    pub(super) const fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Adds a connection, and asks another one to close if it takes its place.
    pub(super) fn add(&self, peer: IpAddr) -> Arc<State> {
        let mut clients = self.clients();
        if self.open.load(Ordering::Relaxed) >= self.comfortable() {
            stalest(clients.values().flat_map(|client| &client.connections));
        }
        let client = clients.entry(network(peer)).or_default();
        let is_proxy = self.trusted_proxies.contains(peer.to_canonical());
        let most = if is_proxy { usize::MAX } else { self.limits.max_unanswered_per_client_ip };
        let state = Arc::new(State::new(self.open.clone(), client.unanswered.clone(), most));
        client.connections.push(state.clone());
        state
    }

    /// Forgets a connection that has ended.
    pub(super) fn remove(&self, peer: IpAddr, state: &Arc<State>) {
        state.close();
        let (mut clients, key) = (self.clients(), network(peer));
        let Some(client) = clients.get_mut(&key) else { return };
        client.connections.retain(|known| !Arc::ptr_eq(known, state));
        if client.connections.is_empty() {
            clients.remove(&key);
        }
    }

    /// Whether a connection between two requests should close at once: there are more than there should be, because each
    /// had a handler at work when others came.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.comfortable()
    }

    /// How many connections are kept open. A sixteenth is left for those that were asked to close, which takes a moment.
    fn comfortable(&self) -> usize {
        let spare = (self.limits.max_connections / 16).max(1);
        self.limits.max_connections.saturating_sub(spare).max(1)
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<IpAddr, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the connection to close that has waited longest among those first in the order of [`Phase`].
fn stalest<'a>(connections: impl Iterator<Item = &'a Arc<State>>) {
    let candidates = connections.filter_map(|state| Some((state.phase()?, state)));
    let candidates = candidates.filter(|((phase, _), _)| phase.gives_way());
    // To wait for the rest of a head and for that of a body is the same.
    let order = |(phase, since)| if phase == Phase::Body { (Phase::Head, since) } else { (phase, since) };
    if let Some((_, state)) = candidates.min_by_key(|(waits, _)| order(*waits)) {
        state.give_way();
    }
}
