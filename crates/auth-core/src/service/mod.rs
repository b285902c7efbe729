//! The use-cases of tokens: load, decide, apply. Every rule they follow is a pure function elsewhere in this crate.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_core::AuthError> {
//! use auth_conformance::TestService;
//! use auth_core::service::LogoutRequest;
//! use auth_core::token::{Authentication, ClientInfo, RawToken};
//!
//! // In a service: a `TokenService` on a database, keys and the system clock, and users of its own.
//! let service = TestService::new();
//! let (tokens, alice) = (&service.tokens, service.register("alice").await);
//!
//! // The host has authenticated the user.
//! let authentication = Authentication::new(["hwk", "mfa"], service.now()).expect("methods of RFC 8176");
//! let pair = tokens.start_session(&alice, &authentication, ClientInfo::default()).await?;
//! let caller = tokens.authenticate(&RawToken::parse(pair.access.expose())?).await?;
//! assert_eq!(caller.user.username, "alice");
//!
//! // A refresh token is good once.
//! let refresh = RawToken::parse(pair.refresh.expose())?;
//! let next = tokens.refresh(&refresh).await?;
//! assert!(tokens.refresh(&refresh).await.is_err());
//!
//! // A logout ends the session, for the access token too.
//! tokens.logout(&caller, LogoutRequest::All).await?;
//! assert!(tokens.authenticate(&RawToken::parse(next.access.expose())?).await.is_err());
//! # Ok(()) }
//! ```

mod adoption;
mod authenticate;
mod continuation;
mod issue;
mod logout;
mod lookup;
mod membership;
mod refresh;
mod sliding;
mod start;
mod verifier;
mod verify;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub use authenticate::Caller;
pub use continuation::Continuation;
pub use issue::{Issued, Refreshed, SignedToken, TokenPair};
pub use logout::LogoutRequest;
pub use sliding::SlidingPolicy;
pub use verifier::{AccessVerifier, Bearer};

use crate::auth_cache::AuthCache;
use crate::effects::Effects;
use crate::error::AuthError;
use crate::event::SecurityEvent;
use crate::ports::{
    Change, ClaimsProvider, Clock, Randomness, Recognised, ReuseNotices, SecurityEvents, TokenSigner, TokenStore,
};
use crate::rotation::RotationPolicy;
use crate::time::Seconds;
use crate::token::{ClaimRules, RawToken, RequiredFor, SessionId, TokenClaims, TokenKind};
use crate::user::UserId;

/// The adapters that issuing, exchanging, judging and ending tokens takes.
#[derive(Clone)]
pub struct TokenPorts {
    /// Sessions, refused tokens, and the users of tokens.
    pub store: Arc<dyn TokenStore>,
    /// Signatures.
    pub signer: Arc<dyn TokenSigner>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// The audit log.
    pub events: Arc<dyn SecurityEvents>,
    /// The auth cache of guarded routes; `None`: they read the storage each time.
    pub auth_cache: Option<Arc<AuthCache>>,
    /// What users are told when a used token of theirs is presented; `None`: nothing.
    pub reuse_notices: Option<Arc<dyn ReuseNotices>>,
}

impl TokenPorts {
    /// Records an event that no write accompanies.
    fn record(&self, event: SecurityEvent) {
        self.events.record(event);
    }

    /// Records the events of a write that has taken effect.
    fn record_committed(&self, effects: &Effects) {
        self.events.record_committed(&effects.events);
    }

    /// Makes the guarded routes of this process obey a change before it is answered.
    fn note(&self, change: Change) {
        if let Some(auth_cache) = &self.auth_cache {
            auth_cache.apply(change);
        }
    }

    fn note_ended(&self, session: SessionId) {
        self.note(Change::SessionEnded(session));
    }

    /// Also after all sessions of an account, but perhaps one, were ended.
    fn note_changed(&self, user: &UserId) {
        self.note(Change::AccountChanged(user.clone()));
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
    /// How long an claims_provider may take.
    pub claims_timeout: Duration,
    /// Whether claims that this service does not know are copied from a refresh token to its successors.
    pub keep_custom_claims: bool,
    /// Whether a well-signed refresh token of no session becomes one (SEC-025); tokens of SimpleJWT with the same key.
    pub adopt_external_tokens: bool,
    /// Whether access tokens die with their session (SEC-032).
    pub check_session_on_access: bool,
    /// Whether the user of a token has to be active, on guarded routes and at a refresh (SEC-028). At a login always.
    pub check_user_is_active: bool,
    /// Whether a login is noted with the account.
    pub update_last_login: bool,
    /// How many live sessions an account has at most: one more ends the least recently used. `None`: any number.
    pub max_sessions: Option<NonZeroU32>,
    /// The kinds of token that open guarded routes: access tokens, sliding ones, or both, in the order in which a
    /// refusal speaks of them.
    pub accepted_kinds: Vec<TokenKind>,
    /// How sliding tokens live.
    pub sliding: SlidingPolicy,
    /// Whose sessions must start with more than one authentication factor.
    pub multi_factor_required_for: RequiredFor,
}

impl Default for TokenPolicy {
    /// The strict one: 15 minutes for access tokens, a session ends after 30 days, an account has at most 100 of them, access tokens die with their
    /// session, nothing from elsewhere is adopted or kept.
    fn default() -> Self {
        Self {
            access_ttl: Seconds::new(15 * 60),
            rotation: RotationPolicy::default(),
            session_max_ttl: Some(Seconds::new(30 * 24 * 60 * 60)),
            claim_rules: ClaimRules::default(),
            claims_timeout: Duration::from_secs(2),
            keep_custom_claims: false,
            adopt_external_tokens: false,
            check_session_on_access: true,
            check_user_is_active: true,
            update_last_login: true,
            max_sessions: NonZeroU32::new(100),
            accepted_kinds: vec![TokenKind::Access],
            sliding: SlidingPolicy::default(),
            multi_factor_required_for: RequiredFor::Nobody,
        }
    }
}

/// Issues tokens, exchanges them, judges them and ends them.
///
/// The methods stand in the modules named for what they do: login, refresh, verify, logout, authenticate.
#[derive(Clone)]
pub struct TokenService {
    ports: TokenPorts,
    policy: TokenPolicy,
    claims_providers: Vec<Arc<dyn ClaimsProvider>>,
}

impl TokenService {
    /// A service on these adapters.
    pub const fn new(ports: TokenPorts, policy: TokenPolicy) -> Self {
        Self { ports, policy, claims_providers: Vec::new() }
    }

    /// The same with one more source of claims. Of two that write the same claim the later one wins.
    pub fn enriched_by(mut self, claims_provider: Arc<dyn ClaimsProvider>) -> Self {
        self.claims_providers.push(claims_provider);
        self
    }

    /// Its policy.
    pub const fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// The adapters it works with.
    pub const fn ports(&self) -> &TokenPorts {
        &self.ports
    }

    /// The first checks of every presented token: its signature, then its claims.
    async fn read(&self, token: &RawToken) -> Result<TokenClaims, AuthError> {
        let Recognised { payload, is_own } = self.ports.signer.verify(token).await?;
        Ok(self.policy.claim_rules.read(payload, is_own, self.ports.clock.now())?)
    }
}
