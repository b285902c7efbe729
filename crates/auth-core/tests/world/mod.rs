//! A whole service in memory, with a clock that stands still: what the tests of the use-cases run on.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its part of this module")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

mod accounts;
mod store;
mod vault;

use std::sync::Arc;

use auth_conformance::{
    FixedClock, MemoryStore, PlainHasher, PlainSigner, RecordedEvents, RecordedMailer, SeededRandomness,
};
use auth_core::AuthError;
use auth_core::account::{Email, LoginName, PersonName, User, Username, UsernameRules};
use auth_core::event::EventKind;
use auth_core::mail::RetryPolicy;
use auth_core::password::{PasswordPolicy, RawPassword};
use auth_core::ports::{Clock, TokenSigner};
use auth_core::rotation::RotationPolicy;
use auth_core::service::{
    AccountService, Action, AdministrationService, NewAccount, OutboxService, Outcome, Ports, Refreshed,
    SecondFactorService, SignedToken, SlidingPolicy, TokenPair, TokenPolicy, TokenService,
};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{ClientInfo, Payload, ProfileClaim, RawToken};

pub use accounts::*;
pub use store::EventfulStore;
pub use vault::CountingVault;

pub const PASSWORD: &str = "Correct-horse-42";
pub const ACCESS_TTL: u64 = 60;
pub const REFRESH_TTL: u64 = 600;
pub const RETRY_WINDOW: u64 = 10;
pub const SESSION_MAX_TTL: u64 = 900;

pub struct World {
    pub tokens: TokenService,
    pub accounts: AccountService,
    pub administration: AdministrationService,
    pub factors: SecondFactorService,
    pub outbox: OutboxService,
    pub store: Arc<MemoryStore>,
    /// The same store, as the services see it.
    pub eventful: Arc<EventfulStore>,
    pub clock: Arc<FixedClock>,
    pub hasher: Arc<PlainHasher>,
    pub vault: Arc<CountingVault>,
    pub mailer: Arc<RecordedMailer>,
    pub events: Arc<RecordedEvents>,
    pub signer: PlainSigner,
}

/// The policy of the product's own default: strict.
pub fn policy() -> TokenPolicy {
    TokenPolicy {
        access_ttl: Seconds::new(ACCESS_TTL),
        rotation: RotationPolicy {
            refresh_ttl: Seconds::new(REFRESH_TTL),
            retry_window: Seconds::new(RETRY_WINDOW),
            ..RotationPolicy::default()
        },
        session_max_ttl: Some(Seconds::new(SESSION_MAX_TTL)),
        sliding: SlidingPolicy { ttl: Seconds::new(ACCESS_TTL), refresh_ttl: Seconds::new(REFRESH_TTL) },
        ..TokenPolicy::default()
    }
}

/// The policy of the profile for SimpleJWT's clients.
pub fn simplejwt_policy() -> TokenPolicy {
    TokenPolicy {
        session_max_ttl: None,
        keep_custom_claims: true,
        adopt_foreign_tokens: true,
        check_session_on_access: false,
        ..policy()
    }
}

pub fn world(policy: TokenPolicy) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(FixedClock::default()));
    let (hasher, events) = (Arc::new(PlainHasher::default()), Arc::new(RecordedEvents::default()));
    let (vault, mailer) = (Arc::new(CountingVault::default()), Arc::new(RecordedMailer::default()));
    let eventful = Arc::new(EventfulStore::new(store.clone()));
    let signer = PlainSigner::default();
    let ports = Ports {
        store: eventful.clone(),
        signer: Arc::new(signer.clone()),
        hasher: hasher.clone(),
        clock: clock.clone(),
        randomness: Arc::new(SeededRandomness::default()),
        vault: vault.clone(),
        events: events.clone(),
        views: None,
    };
    let accounts = policy.accounts.clone();
    let tokens = TokenService::new(ports.clone(), policy);
    let tokens = tokens.enriched_by(Arc::new(ProfileClaim::Email)).enriched_by(Arc::new(ProfileClaim::Role));
    World {
        tokens,
        accounts: AccountService::new(ports.clone(), accounts.clone()),
        administration: AdministrationService::new(ports.clone(), accounts.clone()),
        factors: SecondFactorService::new(ports.clone(), accounts.clone()),
        outbox: OutboxService::new(ports, accounts, mailer.clone(), RetryPolicy::default()),
        store,
        eventful,
        clock,
        hasher,
        vault,
        mailer,
        events,
        signer,
    }
}

impl World {
    pub async fn register(&self, name: &str) -> Result<User, AuthError> {
        let rules = UsernameRules { plain_alphabet: true, ignore_case: true };
        let account = NewAccount {
            username: Username::parse(name, rules).unwrap(),
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            first_name: PersonName::parse("Al").unwrap(),
            last_name: PersonName::default(),
            password: PasswordPolicy::default().check(RawPassword::new(PASSWORD), &[]).unwrap(),
        };
        self.accounts.register(account, &ClientInfo::default()).await
    }

    pub async fn try_login(&self, name: &str, password: &str) -> Result<TokenPair, AuthError> {
        let name = LoginName::Username(name.to_owned());
        self.tokens.login(&name, &RawPassword::new(password), ClientInfo::default()).await
    }

    pub async fn login(&self, name: &str) -> TokenPair {
        self.try_login(name, PASSWORD).await.unwrap()
    }

    pub async fn try_login_sliding(&self, name: &str) -> Result<SignedToken, AuthError> {
        let name = LoginName::Username(name.to_owned());
        self.tokens.login_sliding(&name, &RawPassword::new(PASSWORD), ClientInfo::default()).await
    }

    /// The account with this name, as it is stored.
    pub async fn stored(&self, name: &str) -> User {
        self.administration.find(name).await.unwrap().unwrap()
    }

    pub async fn refresh(&self, pair: &TokenPair) -> Result<TokenPair, AuthError> {
        self.tokens.refresh(&refresh_of(pair)).await.map(pair_of)
    }

    pub async fn act(&self, name: &str, action: Action) {
        assert_eq!(self.administration.act(name, &action).await.unwrap(), Outcome::Done);
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Seconds::new(seconds));
    }

    pub fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    pub fn clock_now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The claims of a token, whatever they say.
    pub fn claims(&self, token: &RawToken) -> Payload {
        self.signer.open(token).unwrap()
    }

    /// A well-signed token that says just this.
    pub fn forge(&self, claims: serde_json::Value) -> RawToken {
        RawToken::parse(&self.signer.sign(claims.as_object().unwrap()).unwrap()).unwrap()
    }

    pub fn event_kinds(&self) -> Vec<EventKind> {
        self.events.taken().iter().map(|event| event.kind).collect()
    }
}

/// Where every refresh answers a pair.
pub fn pair_of(refreshed: Refreshed) -> TokenPair {
    TokenPair { access: refreshed.access, refresh: refreshed.refresh.unwrap() }
}

pub fn refresh_of(pair: &TokenPair) -> RawToken {
    RawToken::parse(pair.refresh.expose()).unwrap()
}

pub fn access_of(pair: &TokenPair) -> RawToken {
    RawToken::parse(pair.access.expose()).unwrap()
}
