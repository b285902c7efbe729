//! The use-cases: load, decide, apply. Every rule they follow is a pure function elsewhere in this crate.

mod accounts;
mod administration;
mod authenticate;
mod bounded;
mod issue;
mod login;
mod logout;
mod maintenance;
mod membership;
mod refresh;
mod sliding;
mod verifier;
mod verify;

use std::sync::Arc;
use std::time::Duration;

pub use accounts::{AccountService, NewAccount};
pub use administration::{Action, AdministrationService, Outcome};
pub use authenticate::Caller;
pub use issue::{Refreshed, SignedToken, TokenPair};
pub use logout::LogoutRequest;
pub use maintenance::{Pruned, prune};
pub use verifier::{AccessVerifier, Bearer};

use crate::account::UserId;
use crate::error::AuthError;
use crate::event::SecurityEvent;
use crate::ports::{Change, ClaimsEnricher, Clock, PasswordHasher, Randomness, SecurityEvents, Store, TokenSigner};
use crate::rotation::RotationPolicy;
use crate::time::Seconds;
use crate::token::{ClaimRules, RawToken, SessionId, TokenClaims, TokenKind};
use crate::view::GuardViews;

/// The adapters that the services work with.
#[derive(Clone)]
pub struct Ports {
    /// Accounts, sessions and the blacklist.
    pub store: Arc<dyn Store>,
    /// Signatures.
    pub signer: Arc<dyn TokenSigner>,
    /// Password hashing.
    pub hasher: Arc<dyn PasswordHasher>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// The audit log.
    pub events: Arc<dyn SecurityEvents>,
    /// What guarded routes remember; `None`: nothing, they ask the storage each time.
    pub views: Option<Arc<GuardViews>>,
}

impl Ports {
    fn record(&self, event: SecurityEvent) {
        self.events.record(event);
    }

    /// Makes the guarded routes of this process obey a change before it is answered.
    fn note(&self, change: Change) {
        if let Some(views) = &self.views {
            views.apply(change);
        }
    }

    fn note_ended(&self, session: SessionId) {
        self.note(Change::SessionEnded(session));
    }

    /// Also after all sessions of an account, but perhaps one, were ended.
    fn note_changed(&self, user: UserId) {
        self.note(Change::AccountChanged(user));
    }
}

/// What tokens say, how long they live, and which ones are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// How long an access token lives.
    pub access_ttl: Seconds,
    /// How refresh tokens are exchanged.
    pub rotation: RotationPolicy,
    /// When a session ends for good, however often it is refreshed; `None`: never.
    pub session_max_ttl: Option<Seconds>,
    /// Which claims are required.
    pub claim_rules: ClaimRules,
    /// How long an enricher may take.
    pub enrich_timeout: Duration,
    /// Whether claims that this service does not know are copied from a refresh token to its successors.
    pub keep_custom_claims: bool,
    /// Whether a well-signed refresh token of no session becomes one (SEC-025); tokens of SimpleJWT with the same key.
    pub adopt_foreign_tokens: bool,
    /// Whether access tokens die with their session (SEC-032).
    pub check_session_on_access: bool,
    /// Whether the user of a token has to be active, on guarded routes and at a refresh (SEC-028). At a login always.
    pub check_user_is_active: bool,
    /// Whether a login is noted with the account.
    pub update_last_login: bool,
    /// The kinds of token that open guarded routes: access tokens, sliding ones, or both, in the order in which a refusal
    /// speaks of them.
    pub accepted_kinds: Vec<TokenKind>,
    /// How sliding tokens live.
    pub sliding: SlidingPolicy,
}

/// How sliding tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingPolicy {
    /// How long one opens guarded routes; starts anew with each refresh.
    pub ttl: Seconds,
    /// How long after the login it can be refreshed.
    pub refresh_ttl: Seconds,
}

/// Issues tokens, exchanges them, judges them and ends them.
///
/// The methods stand in the modules named for what they do: login, refresh, verify, logout, authenticate.
#[derive(Clone)]
pub struct TokenService {
    ports: Ports,
    policy: TokenPolicy,
    enrichers: Vec<Arc<dyn ClaimsEnricher>>,
}

impl TokenService {
    /// A service on these adapters.
    pub const fn new(ports: Ports, policy: TokenPolicy) -> Self {
        Self { ports, policy, enrichers: Vec::new() }
    }

    /// The same with one more source of claims. Of two that write the same claim the later one wins.
    pub fn enriched_by(mut self, enricher: Arc<dyn ClaimsEnricher>) -> Self {
        self.enrichers.push(enricher);
        self
    }

    /// Its policy.
    pub const fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// The adapters it works with.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The first checks of every presented token: its signature, then its claims.
    async fn read(&self, token: &RawToken) -> Result<TokenClaims, AuthError> {
        let payload = self.ports.signer.verify(token).await?;
        Ok(self.policy.claim_rules.read(payload, self.ports.clock.now())?)
    }
}
