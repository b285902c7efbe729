//! All services over the doubles of this crate: a whole deployment in memory.
#![allow(clippy::expect_used, clippy::panic, reason = "a fixture that cannot be set up fails its test")]

mod builder;
mod emails;
mod second_factors;
mod tokens;
mod users;

use std::sync::Arc;

use auth_accounts::service::{
    AccountContext, AccountService, AdministrationService, LoginService, OutboxService, Ports, SecondFactorService,
};
use auth_core::event::EventKind;
use auth_core::service::TokenService;
use auth_core::time::{Seconds, UnixTime};

use crate::{FixedClock, MemoryStore, PlainHasher, RecordedEvents, RecordedMailer};

pub use builder::{TestPolicy, TestServiceBuilder};
pub use tokens::{access_of, refresh_of};

/// All services of `auth-core` and `auth-accounts` in memory, with the doubles that they use and shorthands for common
/// test steps. **Protects nothing.**
///
/// The clock stands still until [`advance`](Self::advance) moves it, and random bytes are computed from a seed.
/// Services share nothing, so tests can run in parallel.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
/// use auth_conformance::{TestService, access_of};
/// use auth_core::event::EventKind;
/// use auth_accounts::service::Action;
///
/// let service = TestService::new();
/// let pair = service.login("alice").await;
/// let caller = service.tokens.authenticate(&access_of(&pair)).await?;
/// assert_eq!(caller.user.username, "alice");
///
/// // Access tokens expire.
/// service.advance(15 * 60);
/// assert!(service.tokens.authenticate(&access_of(&pair)).await.is_err());
/// let pair = service.refresh(&pair).await;
///
/// // A deactivated user gets no new tokens.
/// service.act("alice", Action::Deactivate).await;
/// assert!(service.try_refresh(&pair).await.is_err());
/// assert!(service.take_event_kinds().contains(&EventKind::AccountDeactivated));
/// # Ok(()) }
/// ```
///
/// Every part can be replaced, as [`builder`](Self::builder) shows.
#[derive(Clone)]
#[non_exhaustive]
pub struct TestService {
    /// Issues, refreshes, verifies and revokes tokens.
    pub tokens: TokenService,
    /// Logins by password and second factor, and changes of the password.
    pub logins: LoginService,
    /// Registration, profiles, password resets and email verification.
    pub accounts: AccountService,
    /// Commands of an administrator.
    pub administration: AdministrationService,
    /// Enrols and removes second factors and sends their challenges.
    pub second_factors: SecondFactorService,
    /// Delivers the emails in the outbox to [`mailer`](Self::mailer).
    pub outbox: OutboxService,
    /// The store behind the storage port.
    pub store: Arc<MemoryStore>,
    /// The clock of all services, unless the builder was given another one.
    pub clock: Arc<FixedClock>,
    /// Hashes and compares passwords, unless the builder was given another one.
    pub hasher: Arc<PlainHasher>,
    /// The audit log, unless the builder was given another one.
    pub events: Arc<RecordedEvents>,
    /// Keeps the emails that were delivered.
    pub mailer: Arc<RecordedMailer>,
    context: Arc<AccountContext>,
}

impl TestService {
    /// The password of every user that [`register`](Self::register) creates.
    pub const PASSWORD: &'static str = "Correct-horse-42";

    /// A service with the default policies, except that it sends emails.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A service with this policy.
    pub fn with_policy(policy: impl Into<TestPolicy>) -> Self {
        Self::builder().policy(policy).build()
    }

    /// Builds a service with parts replaced.
    ///
    /// ```
    /// use auth_conformance::{PlainSigner, TestService};
    /// use auth_accounts::service::Ports;
    /// use auth_core::service::TokenPolicy;
    /// use auth_core::time::Seconds;
    /// use auth_core::token::ProfileClaim;
    /// use std::sync::Arc;
    ///
    /// let service = TestService::builder()
    ///     .policy(TokenPolicy { access_ttl: Seconds::new(60), ..TokenPolicy::default() })
    ///     .ports(|ports| Ports { signer: Arc::new(PlainSigner::new(7)), ..ports })
    ///     .claims_provider(Arc::new(ProfileClaim::Email))
    ///     .build();
    /// assert_eq!(service.tokens.policy().access_ttl, Seconds::new(60));
    /// ```
    pub fn builder() -> TestServiceBuilder {
        TestServiceBuilder::default()
    }

    /// The ports of the services.
    pub fn ports(&self) -> &Ports {
        self.context.ports()
    }

    /// The context that the account services share, for building another service.
    pub fn context(&self) -> Arc<AccountContext> {
        self.context.clone()
    }

    /// The same context with other ports; it keeps the token service of [`tokens`](Self::tokens).
    pub fn context_with(&self, ports: Ports) -> Arc<AccountContext> {
        Arc::new(AccountContext::new(ports, self.context.policy().clone(), self.tokens.clone()))
    }

    /// The current time of the services.
    pub fn now(&self) -> UnixTime {
        self.ports().clock.now()
    }

    /// Moves [`clock`](Self::clock) forward. Has no effect on another clock that was set with the builder.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Seconds::new(seconds));
    }

    /// The kinds of the events that were recorded since the last call, in order.
    ///
    /// [`RecordedEvents::taken`] returns the events themselves.
    pub fn take_event_kinds(&self) -> Vec<EventKind> {
        self.events.taken().iter().map(|event| event.kind).collect()
    }
}

impl Default for TestService {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use auth_accounts::AccountError;
    use auth_accounts::service::Action;

    use super::*;

    #[tokio::test]
    async fn login_registers_a_missing_user() {
        let service = TestService::new();
        let (first, second) = (service.login("alice").await, service.login("alice").await);
        assert_eq!(service.caller(&first).await.user.id, service.caller(&second).await.user.id);
        let unregistered = service.try_login("bob", TestService::PASSWORD).await;
        assert!(matches!(unregistered, Err(AccountError::BadCredentials)));
    }

    #[tokio::test]
    async fn services_on_one_store_share_users_and_tokens() {
        let service = TestService::new();
        let pair = service.login("alice").await;
        let restarted = TestService::builder().memory(service.store.clone()).build();
        assert_eq!(restarted.caller(&pair).await.user, service.user("alice").await);
    }

    #[tokio::test]
    #[should_panic(expected = r#"Promote of "alice": Ok(NoSuchAccount)"#)]
    async fn acting_on_a_missing_user_panics() {
        TestService::new().act("alice", Action::Promote).await;
    }

    #[tokio::test]
    async fn requires_an_enrolled_email_factor_at_the_next_login() {
        let service = TestService::new();
        service.register("alice").await;
        assert_eq!(service.enrol_email("alice").await.len(), auth_accounts::second_factor::Factors::RECOVERY_CODES);
        service.second_factor_challenge("alice").await;
        assert_eq!(service.enqueued().last().map(|(_, to)| to.as_str()), Some("alice@example.com"));
        assert_eq!(service.emailed_code().len(), 6);
    }
}
