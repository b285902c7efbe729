//! The adapters that the services use.

use std::sync::Arc;

use auth_core::auth_cache::AuthCache;
use auth_core::effects::Effects;
use auth_core::event::SecurityEvent;
use auth_core::ports::{Change, Clock, Randomness, SecurityEvents, TokenSigner};
use auth_core::service::TokenPorts;
use auth_core::user::UserId;

use crate::ports::{KeyedHash, PasswordHasher, SecretBox, Store};
use crate::service::{AccountPolicy, Emails};

/// The adapters that the services use.
#[derive(Clone)]
pub struct Ports {
    /// Storage of accounts, sessions, codes, emails and everything else.
    pub store: Arc<dyn Store>,
    /// Signs and verifies tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Generates random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// Keyed hashes under the application secret.
    pub keyed_hash: Arc<dyn KeyedHash>,
    /// Encryption under the application secret.
    pub secret_box: Arc<dyn SecretBox>,
    /// The audit log.
    pub events: Arc<dyn SecurityEvents>,
    /// The auth cache; `None` if guarded routes read the storage for each request.
    pub auth_cache: Option<Arc<AuthCache>>,
}

impl Ports {
    /// The ports of a [`TokenService`](auth_core::service::TokenService) for the users of these accounts. If emails are sent, users
    /// are notified when reuse of a refresh token is detected.
    pub fn for_tokens(&self, accounts: &AccountPolicy) -> TokenPorts {
        TokenPorts {
            store: self.store.clone(),
            signer: self.signer.clone(),
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
            events: self.events.clone(),
            auth_cache: self.auth_cache.clone(),
            reuse_notices: Some(Arc::new(Emails::new(self.clone(), accounts.sends_emails))),
        }
    }

    /// Records an event that belongs to no write.
    pub(super) fn record(&self, event: SecurityEvent) {
        self.events.record(event);
    }

    /// Records the events of a write that has taken effect.
    pub(super) fn record_committed(&self, effects: &Effects) {
        self.events.record_committed(&effects.events);
    }

    /// Applies a change of an account to the auth cache, such as the revocation of its sessions.
    pub(super) fn invalidate_account(&self, user: &UserId) {
        if let Some(auth_cache) = &self.auth_cache {
            auth_cache.apply(Change::AccountChanged(user.clone()));
        }
    }
}
