//! What the handlers work with.

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
    /// Asks the storage for a sign of life. Must answer within a few seconds.
    async fn is_ready(&self) -> bool;
}

/// What the routes for tokens and all guarded routes need. Shared by all workers.
pub struct App {
    /// Tokens.
    pub tokens: TokenService,
    /// The public keys, as a JWK set (RFC 7517 §5).
    pub jwks: Value,
    /// Whether the storage answers.
    pub readiness: Box<dyn Readiness>,
    /// How many requests a client without credentials may make to the routes that have a name
    /// ([`Endpoint::named`](crate::routes::Endpoint::named)); `None`: any number.
    pub throttle: Option<AnonymousThrottle>,
    /// How the wire looks.
    pub settings: HttpSettings,
    /// What the application keeps from one request to the next.
    pub state: AppState,
}

impl App {
    /// With the default settings, no throttle, and an empty JWK set; the readiness is that of the token storage.
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

    /// What the bearer of a refused access token is told about it.
    pub(crate) fn explanation(&self) -> Explanation<'_> {
        Explanation { reasons: self.settings.reasons, accepted_kinds: &self.tokens.policy().accepted_kinds }
    }
}

/// Ready while the token storage answers a read.
struct TokenStoreReadiness(Arc<dyn TokenStore>);

#[async_trait]
impl Readiness for TokenStoreReadiness {
    async fn is_ready(&self) -> bool {
        self.0.find_session(SessionId::from_bytes([0; 16])).await.is_ok()
    }
}
