//! The use-cases: load, decide, apply. Every rule they follow is a pure function elsewhere in this crate.

mod accounts;
mod administration;
mod authenticate;
mod issue;
mod login;
mod logout;
mod maintenance;
mod membership;
mod refresh;
mod verify;

use std::sync::Arc;

pub use accounts::{AccountService, NewAccount};
pub use administration::{Action, AdministrationService, Outcome};
pub use authenticate::Caller;
pub use issue::{SignedToken, TokenPair};
pub use logout::LogoutRequest;
pub use maintenance::{Pruned, prune};

use crate::event::SecurityEvent;
use crate::ports::{Clock, PasswordHasher, Randomness, SecurityEvents, Store, TokenSigner};
use crate::rotation::RotationPolicy;
use crate::time::Seconds;
use crate::token::{ClaimRules, ProfileClaim, RawToken, TokenClaims, TokenFault};

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
}

impl Ports {
    fn record(&self, event: SecurityEvent) {
        self.events.record(event);
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
    /// Claims taken from the account whenever a token is issued.
    pub profile_claims: Vec<ProfileClaim>,
    /// Whether claims that this service does not know are copied from a refresh token to its successors.
    pub keep_custom_claims: bool,
    /// Whether a well-signed refresh token of no session becomes one (SEC-025); tokens of SimpleJWT with the same key.
    pub adopt_foreign_tokens: bool,
    /// Whether access tokens die with their session (SEC-032).
    pub check_session_on_access: bool,
    /// Whether a login is noted with the account.
    pub update_last_login: bool,
}

/// Issues tokens, exchanges them, judges them and ends them.
///
/// The methods stand in the modules named for what they do: login, refresh, verify, logout, authenticate.
#[derive(Clone)]
pub struct TokenService {
    ports: Ports,
    policy: TokenPolicy,
}

impl TokenService {
    /// A service on these adapters.
    pub const fn new(ports: Ports, policy: TokenPolicy) -> Self {
        Self { ports, policy }
    }

    /// The first checks of every presented token: its signature, then its claims.
    fn read(&self, token: &RawToken) -> Result<TokenClaims, TokenFault> {
        let payload = self.ports.signer.verify(token)?;
        self.policy.claim_rules.read(payload, self.ports.clock.now())
    }
}
