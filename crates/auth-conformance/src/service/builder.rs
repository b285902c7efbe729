//! Builds a [`TestService`] with some parts replaced.

use std::sync::Arc;

use auth_accounts::email::RetryPolicy;
use auth_accounts::service::{
    AccountContext, AccountPolicy, AccountService, AdministrationService, LoginService, OutboxService, Ports,
    SecondFactorService,
};
use auth_core::ports::ClaimsProvider;
use auth_core::service::{TokenPolicy, TokenService};

use crate::{FixedClock, MemoryStore, PlainHasher, RecordedEvents, RecordedMailer, TestService, memory_ports};

/// The policy of a [`TestService`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPolicy {
    /// The policy of tokens.
    pub tokens: TokenPolicy,
    /// The policy of accounts.
    pub accounts: AccountPolicy,
}

impl From<TokenPolicy> for TestPolicy {
    /// Combines it with the default account policy.
    fn from(tokens: TokenPolicy) -> Self {
        Self { tokens, accounts: AccountPolicy::default() }
    }
}

/// Builds a [`TestService`]; created by [`TestService::builder`].
#[must_use]
pub struct TestServiceBuilder {
    policy: TestPolicy,
    ports: Ports,
    has_own_ports: bool,
    claims_providers: Vec<Arc<dyn ClaimsProvider>>,
    store: Arc<MemoryStore>,
    clock: Arc<FixedClock>,
    hasher: Arc<PlainHasher>,
    events: Arc<RecordedEvents>,
}

impl TestServiceBuilder {
    /// Sets the policy of all services. By default both policies are the default ones, except that emails are sent.
    pub fn policy(mut self, policy: impl Into<TestPolicy>) -> Self {
        self.policy = policy.into();
        self
    }

    /// Uses this store, which may be the one of another service, as after a restart.
    ///
    /// Sets the storage port too.
    ///
    /// # Panics
    /// After [`ports`](Self::ports), whose replacement of the store it would undo.
    pub fn memory(mut self, store: Arc<MemoryStore>) -> Self {
        assert!(!self.has_own_ports, "`memory` must be called before `ports`");
        self.ports.store = store.clone();
        self.store = store;
        self
    }

    /// Replaces ports: `change` receives all current ports and returns the new ones.
    ///
    /// For example, a store that wraps the same [`MemoryStore`], so that tests can still inspect it:
    ///
    /// ```
    /// use auth_conformance::{MemoryStore, TestService};
    /// use auth_accounts::ports::Store;
    /// use auth_accounts::service::Ports;
    /// use std::sync::Arc;
    /// # fn observed(inner: Arc<dyn Store>) -> Arc<dyn Store> { inner }
    /// let service = TestService::builder().ports(|ports| Ports { store: observed(ports.store), ..ports }).build();
    /// assert_eq!(service.store.sessions(), []);
    /// ```
    ///
    /// The fields of the [`TestService`] keep the doubles, even those that the services no longer use.
    pub fn ports(mut self, change: impl FnOnce(Ports) -> Ports) -> Self {
        self.ports = change(self.ports);
        self.has_own_ports = true;
        self
    }

    /// Adds a claims provider. If two write the same claim, the one added later wins.
    pub fn claims_provider(mut self, provider: Arc<dyn ClaimsProvider>) -> Self {
        self.claims_providers.push(provider);
        self
    }

    /// Builds the services.
    pub fn build(self) -> TestService {
        let (ports, TestPolicy { tokens, accounts }) = (self.ports, self.policy);
        let mailer = Arc::new(RecordedMailer::default());
        let tokens = TokenService::new(ports.for_tokens(&accounts), tokens);
        let tokens = self.claims_providers.into_iter().fold(tokens, TokenService::with_claims_provider);
        let context = Arc::new(AccountContext::new(ports, accounts, tokens.clone()));
        TestService {
            tokens,
            logins: LoginService::new(context.clone()),
            accounts: AccountService::new(context.clone()),
            administration: AdministrationService::new(context.clone()),
            second_factors: SecondFactorService::new(context.clone()),
            outbox: OutboxService::new(context.clone(), mailer.clone(), RetryPolicy::default()),
            context,
            store: self.store,
            clock: self.clock,
            hasher: self.hasher,
            events: self.events,
            mailer,
        }
    }
}

impl Default for TestServiceBuilder {
    fn default() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(FixedClock::default()));
        let (hasher, events) = (Arc::new(PlainHasher::default()), Arc::new(RecordedEvents::default()));
        let ports = Ports {
            store: store.clone(),
            clock: clock.clone(),
            hasher: hasher.clone(),
            events: events.clone(),
            ..memory_ports()
        };
        let accounts = AccountPolicy { sends_emails: true, ..AccountPolicy::default() };
        let policy = TestPolicy { tokens: TokenPolicy::default(), accounts };
        Self { policy, ports, has_own_ports: false, claims_providers: Vec::new(), store, clock, hasher, events }
    }
}
