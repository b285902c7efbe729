//! The use-cases of tokens: load, decide, apply. Each decision is a pure function in another module of this crate.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_core::AuthError> {
//! use auth_conformance::TestService;
//! use auth_core::service::LogoutRequest;
//! use auth_core::token::{Authentication, ClientInfo, RawToken};
//!
//! // A host has its own users, and a `TokenService` with a database, keys and the system clock.
//! let service = TestService::new();
//! let (tokens, alice) = (&service.tokens, service.register("alice").await);
//!
//! // The host has authenticated the user.
//! let authentication = Authentication::new(["hwk", "mfa"], service.now()).expect("methods of RFC 8176");
//! let pair = tokens.start_session(&alice, &authentication, ClientInfo::default()).await?;
//! let caller = tokens.authenticate(&RawToken::parse(pair.access.expose())?).await?;
//! assert_eq!(caller.user.username, "alice");
//!
//! // A refresh token can be exchanged once.
//! let refresh = RawToken::parse(pair.refresh.expose())?;
//! let next = tokens.refresh(&refresh).await?;
//! assert!(tokens.refresh(&refresh).await.is_err());
//!
//! // A logout revokes the session; its access token is refused too.
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

/// The adapters of a [`TokenService`].
#[derive(Clone)]
pub struct TokenPorts {
    /// Sessions, the blacklist, and the users of tokens.
    pub store: Arc<dyn TokenStore>,
    /// Signs and verifies tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of random bytes.
    pub randomness: Arc<dyn Randomness>,
    /// The audit log.
    pub events: Arc<dyn SecurityEvents>,
    /// The auth cache of guarded routes; with `None` they read the storage for each request.
    pub auth_cache: Option<Arc<AuthCache>>,
    /// Notices to users whose refresh token was reused; with `None` there are none.
    pub reuse_notices: Option<Arc<dyn ReuseNotices>>,
}

impl TokenPorts {
    /// Records an event without a write.
    fn record(&self, event: SecurityEvent) {
        self.events.record(event);
    }

    /// Records the events of a write that has taken effect.
    fn record_committed(&self, effects: &Effects) {
        self.events.record_committed(&effects.events);
    }

    /// Invalidates the entries in the auth cache of this process before the request is answered. Other processes learn
    /// of the change from the invalidation feed.
    fn invalidate(&self, change: Change) {
        if let Some(auth_cache) = &self.auth_cache {
            auth_cache.apply(change);
        }
    }

    fn session_ended(&self, session: SessionId) {
        self.invalidate(Change::SessionEnded(session));
    }

    /// Also covers a revocation of all sessions of the account.
    fn account_changed(&self, user: &UserId) {
        self.invalidate(Change::AccountChanged(user.clone()));
    }
}

/// The lifetimes and claims of tokens, and which tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The lifetime of an access token.
    pub access_ttl: Seconds,
    /// The rules for the exchange of refresh tokens.
    pub rotation: RotationPolicy,
    /// The absolute lifetime of a session, however often it is refreshed; `None` for no limit.
    pub session_max_ttl: Option<Seconds>,
    /// The claims that are written and required.
    pub claim_rules: ClaimRules,
    /// How long the claims providers may take, all together, each time tokens are issued.
    pub claims_timeout: Duration,
    /// Whether custom claims are copied from a refresh token to its successors.
    pub keep_custom_claims: bool,
    /// Whether externally issued refresh tokens are adopted, such as those that SimpleJWT signed with the same key
    /// (SEC-025).
    pub adopt_external_tokens: bool,
    /// Whether access tokens are refused once their session has ended (SEC-032).
    pub check_session_on_access: bool,
    /// Whether the user of a token must be active, on guarded routes and at a refresh (SEC-028). A login always
    /// requires it.
    pub check_user_is_active: bool,
    /// Whether a login updates `last_login` of the account.
    pub update_last_login: bool,
    /// The session limit: one more live session revokes the least recently used one of the account. `None` for no
    /// limit.
    pub max_sessions: Option<NonZeroU32>,
    /// The token types that guarded routes accept: access tokens, sliding tokens, or both. A refusal has the reason of
    /// the last one.
    pub accepted_kinds: Vec<TokenKind>,
    /// The lifetimes of sliding tokens.
    pub sliding: SlidingPolicy,
    /// The users whose sessions must start with more than one authentication factor (SEC-134).
    pub multi_factor_required_for: RequiredFor,
}

impl Default for TokenPolicy {
    /// The strict policy: access tokens live for 15 minutes and end with their session, a session ends after 30 days,
    /// an account has at most 100 live sessions, and externally issued tokens are not adopted.
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

/// Issues, exchanges, verifies and revokes tokens.
#[derive(Clone)]
pub struct TokenService {
    ports: TokenPorts,
    policy: TokenPolicy,
    claims_providers: Vec<Arc<dyn ClaimsProvider>>,
}

impl TokenService {
    /// Creates a service on these adapters.
    pub const fn new(ports: TokenPorts, policy: TokenPolicy) -> Self {
        Self { ports, policy, claims_providers: Vec::new() }
    }

    /// Adds a claims provider. If two of them write the same claim, the later one wins.
    #[must_use]
    pub fn with_claims_provider(mut self, provider: Arc<dyn ClaimsProvider>) -> Self {
        self.claims_providers.push(provider);
        self
    }

    /// The policy.
    pub const fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// The adapters.
    pub const fn ports(&self) -> &TokenPorts {
        &self.ports
    }

    /// Checks the signature of a presented token, then its claims.
    async fn read(&self, token: &RawToken) -> Result<TokenClaims, AuthError> {
        let Recognised { payload, is_own } = self.ports.signer.verify(token).await?;
        Ok(self.policy.claim_rules.read(payload, is_own, self.ports.clock.now())?)
    }
}
