//! The data that handlers share.

mod accounts;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::ports::TokenStore;
use auth_core::service::TokenService;
use auth_core::token::SessionId;
use serde_json::{Value, json};

pub(crate) use accounts::AccountApp;
pub use accounts::AccountServices;
pub use state::AppState;

use crate::error::Explanation;
use crate::settings::HttpSettings;
use crate::throttle::AnonymousThrottle;

/// Whether this process can serve requests that need its storage.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Checks that the storage responds. Must return within a few seconds.
    async fn is_ready(&self) -> bool;
}

/// What the token routes and all guarded routes need. Shared by all workers.
pub struct App {
    /// The token service.
    pub tokens: TokenService,
    /// The public keys, as a JWK set (RFC 7517 §5).
    pub jwks: Value,
    /// The readiness check behind `/readyz`.
    pub readiness: Box<dyn Readiness>,
    /// The rate limit for requests without credentials to [named](crate::routes::Endpoint::named) endpoints; `None`: no
    /// limit.
    pub throttle: Option<AnonymousThrottle>,
    /// Settings of requests and responses.
    pub settings: HttpSettings,
    /// State that outlives a request.
    pub state: AppState,
}

impl App {
    /// Creates an `App` with the default settings, no rate limit, an empty JWK set, and the readiness of the token storage.
    pub fn new(tokens: TokenService) -> Self {
        Self {
            readiness: Box::new(TokenStoreReadiness(tokens.ports().store.clone())),
            tokens,
            jwks: json!({"keys": []}),
            throttle: None,
            settings: HttpSettings::default(),
            state: AppState::default(),
        }
    }

    /// Returns what a 401 on a guarded route says about the refused access token.
    pub(crate) fn explanation(&self) -> Explanation<'_> {
        Explanation { reasons: self.settings.reasons, accepted_kinds: &self.tokens.policy().accepted_kinds }
    }
}

/// Ready if the token storage answers a read.
struct TokenStoreReadiness(Arc<dyn TokenStore>);

#[async_trait]
impl Readiness for TokenStoreReadiness {
    async fn is_ready(&self) -> bool {
        self.0.find_session(SessionId::from_bytes([0; 16])).await.is_ok()
    }
}
