//! The adapters of accounts.

use std::sync::Arc;

use auth_core::auth_cache::AuthCache;
use auth_core::effects::Effects;
use auth_core::event::SecurityEvent;
use auth_core::ports::{Change, Clock, Randomness, SecurityEvents, TokenSigner};
use auth_core::service::TokenPorts;
use auth_core::user::UserId;

use crate::ports::{KeyedHash, PasswordHasher, SecretBox, Store};
use crate::service::{AccountPolicy, Emails};

/// The adapters that the services work with.
#[derive(Clone)]
pub struct Ports {
    /// Accounts, sessions, codes, mails and all else that is kept.
    pub store: Arc<dyn Store>,
    /// Signatures.
    pub signer: Arc<dyn TokenSigner>,
    /// Password hashing.
    pub hasher: Arc<dyn PasswordHasher>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// Keyed hashes under the application secret.
    pub keyed_hash: Arc<dyn KeyedHash>,
    /// Encryption under the application secret.
    pub secret_box: Arc<dyn SecretBox>,
    /// The audit log.
    pub events: Arc<dyn SecurityEvents>,
    /// What guarded routes remember; `None`: nothing, they ask the storage each time.
    pub auth_cache: Option<Arc<AuthCache>>,
}

impl Ports {
    /// Those of a [`TokenService`](auth_core::service::TokenService) whose users are accounts: where emails are sent, one tells the user of a reused token.
    pub fn for_tokens(&self, accounts: &AccountPolicy) -> TokenPorts {
        TokenPorts {
            store: self.store.clone(),
            signer: self.signer.clone(),
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
            events: self.events.clone(),
            auth_cache: self.auth_cache.clone(),
            reuse_notices: Some(Arc::new(Emails::new(self.clone(), accounts.sends_mail))),
        }
    }

    /// Records an event that no write accompanies.
    pub(super) fn record(&self, event: SecurityEvent) {
        self.events.record(event);
    }

    /// Records the events of a write that has taken effect.
    pub(super) fn record_committed(&self, effects: &Effects) {
        self.events.record_committed(&effects.events);
    }

    /// Also after all sessions of an account, but perhaps one, were ended.
    pub(super) fn note_changed(&self, user: &UserId) {
        if let Some(auth_cache) = &self.auth_cache {
            auth_cache.apply(Change::AccountChanged(user.clone()));
        }
    }
}
