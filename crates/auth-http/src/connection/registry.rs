//! All connections of a server, counted by client IP.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_accounts::throttle::network;

use super::ConnectionLimits;
use super::slots::Slots;
use super::state::State;
use crate::settings::TrustedProxies;

/// The connections of all workers of a server.
#[derive(Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    trusted_proxies: TrustedProxies,
    slots: Arc<Slots>,
    clients: Mutex<HashMap<IpAddr, Client>>,
}

/// The connections of one client IP.
#[derive(Debug, Default)]
struct Client {
    unanswered: Arc<AtomicUsize>,
    connections: usize,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, trusted_proxies: TrustedProxies) -> Self {
        let slots = Arc::new(Slots::new(limits.max_connections));
        Self { limits, trusted_proxies, slots, clients: Mutex::default() }
    }

    pub(super) const fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Adds a connection, and evicts another one if no slot is free.
    pub(super) fn add(&self, peer: IpAddr) -> Arc<State> {
        self.slots.make_room();
        let is_proxy = self.trusted_proxies.contains(peer.to_canonical());
        let most = if is_proxy { usize::MAX } else { self.limits.max_unanswered_per_client_ip };
        let mut clients = self.clients();
        let client = clients.entry(network(peer)).or_default();
        client.connections += 1;
        State::begin_connection(self.slots.clone(), client.unanswered.clone(), most)
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&self, peer: IpAddr, state: &State) {
        state.close();
        let (mut clients, key) = (self.clients(), network(peer));
        let Some(client) = clients.get_mut(&key) else { return };
        client.connections -= 1;
        if client.connections == 0 {
            clients.remove(&key);
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<IpAddr, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
