//! The composition root: the only module that knows every adapter.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use auth_accounts::ports::Mailer;
use auth_accounts::service::{
    AccountContext, AccountService, AdministrationService, LoginService, OutboxService, Ports, SecondFactorService,
};
use auth_core::auth_cache::AuthCache;
use auth_core::ports::{ClaimsProvider, Recognised, SignError, TokenSigner, VerifyError};
use auth_core::service::TokenService;
use auth_core::token::{Payload, RawToken, TokenKind};
use auth_crypto::{BoundedHasher, HasherOptions, SystemClock, SystemRandomness};
use auth_http::routes::{AuthRoutes, RouteTable, Routes, sliding, standard};
use auth_http::{AccountServices, AnonymousThrottle, App, Readiness};

use crate::application::Application;
use crate::application_secret::application_secret;
use crate::config::Checked;
use crate::jwks::with_remote_keys;
use crate::keys;
use crate::storage::Storage;

/// All adapters and services of a process.
pub struct Composition<S> {
    /// The adapters, by port.
    pub ports: Ports,
    /// The storage.
    pub store: Arc<S>,
    /// The public keys, as a JWK set.
    pub jwks: serde_json::Value,
    /// Shared by the account services.
    context: Arc<AccountContext>,
}

impl<S: Storage> Composition<S> {
    /// Builds the adapters: opens the storage, and loads or generates the keys.
    ///
    /// # Errors
    /// If an adapter cannot be built; the error names the configuration key.
    pub async fn new(checked: &Checked, application: &impl Application<Store = S>) -> Result<Self> {
        let ring = keys::key_ring(checked)?;
        let (jwks, tokens) = (ring.jwks(), &checked.settings.tokens);
        let signer: Arc<dyn TokenSigner> = match &checked.jwks_url {
            None => Arc::new(ring),
            Some(url) => {
                if tokens.audience.is_empty() {
                    tracing::warn!(
                        "tokens.audience: is not set; tokens that the issuer of tokens.jwks_url has issued for other services \
                         are accepted too"
                    );
                }
                Arc::new(with_remote_keys(ring, url.clone(), tokens))
            }
        };
        Self::with_signer(checked, application, signer, jwks).await
    }

    /// Builds the adapters without keys, for commands that neither issue nor verify tokens.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub async fn without_keys(checked: &Checked, application: &impl Application<Store = S>) -> Result<Self> {
        Self::with_signer(checked, application, Arc::new(NoKeys), serde_json::Value::Null).await
    }

    async fn with_signer(
        checked: &Checked,
        application: &impl Application<Store = S>,
        signer: Arc<dyn TokenSigner>,
        jwks: serde_json::Value,
    ) -> Result<Self> {
        ensure!(checked.transport.is_some(), "mail.transport: is not set; set smtp, folder or none");
        let application_secret = Arc::new(application_secret(checked)?);
        let store = Arc::new(open_migrated(checked, application).await?);
        let ports = Ports {
            store: store.clone(),
            signer,
            hasher: Arc::new(hasher(checked)?),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            keyed_hash: application_secret.clone(),
            secret_box: application_secret,
            events: application.events(&store),
            auth_cache: Some(Arc::new(AuthCache::new(checked.auth_cache))),
        };
        let built_in = checked.claims.iter().map(|claim| Arc::new(*claim) as Arc<dyn ClaimsProvider>);
        let tokens = TokenService::new(ports.for_tokens(&checked.accounts), checked.tokens.clone());
        let tokens =
            built_in.chain(application.claims_providers(&store)).fold(tokens, TokenService::with_claims_provider);
        let context = Arc::new(AccountContext::new(ports.clone(), checked.accounts.clone(), tokens));
        Ok(Self { ports, store, jwks, context })
    }

    /// Returns every route that is served, with the services behind it.
    ///
    /// # Errors
    /// If the routes of the application are not valid.
    pub fn routes(&self, checked: &Checked, application: &impl Application<Store = S>) -> Result<AuthRoutes> {
        let routes = AuthRoutes::new(routes(checked, application)?, self.app(checked), Some(self.accounts()))?;
        Ok(application.data(routes, &self.store))
    }

    fn app(&self, checked: &Checked) -> App {
        App {
            jwks: self.jwks.clone(),
            readiness: Box::new(StoreReadiness(self.store.clone())),
            throttle: checked.anonymous_rate.map(AnonymousThrottle::new),
            settings: checked.http.clone(),
            ..App::new(self.context.tokens().clone())
        }
    }

    fn accounts(&self) -> AccountServices {
        AccountServices {
            logins: LoginService::new(self.context.clone()),
            accounts: AccountService::new(self.context.clone()),
            second_factors: SecondFactorService::new(self.context.clone()),
        }
    }

    /// Returns the service behind the administration commands.
    pub fn administration(&self) -> AdministrationService {
        AdministrationService::new(self.context.clone())
    }

    /// Returns the service that delivers emails and is behind the outbox commands.
    pub(crate) fn outbox(&self, checked: &Checked, mailer: Arc<dyn Mailer>) -> OutboxService {
        OutboxService::new(self.context.clone(), mailer, checked.settings.mail.retry_policy())
    }
}

/// A signer that can neither sign nor verify.
struct NoKeys;

#[async_trait]
impl TokenSigner for NoKeys {
    fn sign(&self, _: &Payload) -> Result<String, SignError> {
        Err("this command has no keys".into())
    }

    async fn verify(&self, _: &RawToken) -> Result<Recognised, VerifyError> {
        Err(VerifyError::NotOurs)
    }
}

struct StoreReadiness<S>(Arc<S>);

#[async_trait]
impl<S: Storage> Readiness for StoreReadiness<S> {
    async fn is_ready(&self) -> bool {
        self.0.ping().await.is_ok()
    }
}

fn hasher(checked: &Checked) -> Result<BoundedHasher> {
    let passwords = &checked.settings.passwords;
    let cost = checked.password_cost;
    if cost.is_weak() {
        tracing::warn!("passwords.argon2_memory_kib: new password hashes are too weak for anything but tests");
    }
    let threads = (passwords.hash_threads > 0).then_some(passwords.hash_threads);
    BoundedHasher::new(HasherOptions { cost, threads, queue: passwords.hash_queue }).context("passwords.hash_threads")
}

/// Opens the storage, and applies pending migrations if `database.auto_migrate` is on.
async fn open_migrated<S: Storage>(checked: &Checked, application: &impl Application<Store = S>) -> Result<S> {
    let store = S::open(checked).await?;
    let mut pending = store.pending_migrations().await?;
    pending.extend(application.pending_migrations(&store).await?);
    if pending.is_empty() {
        return Ok(store);
    }
    ensure!(
        checked.settings.database.auto_migrate,
        "database.auto_migrate: is false, and {} migrations are pending; run `{} migrate`",
        pending.len(),
        application.name()
    );
    if let Err(error) = migrate(&store, application).await {
        bail!("database.auto_migrate: the migrations failed: {error:#}");
    }
    Ok(store)
}

/// Applies the pending migrations of the service, then those of the application, and returns their names.
///
/// # Errors
/// If a migration fails.
pub async fn migrate<S: Storage>(store: &S, application: &impl Application<Store = S>) -> Result<Vec<String>> {
    let mut applied = store.migrate().await?;
    applied.extend(application.migrate(store).await?);
    Ok(applied)
}

/// Returns the table of all routes that are served.
///
/// # Errors
/// If the routes of the application are not valid.
pub fn routes(checked: &Checked, application: &impl Application) -> Result<RouteTable> {
    let slides = checked.tokens.accepted_kinds.contains(&TokenKind::Sliding);
    let sliding = if slides { sliding() } else { Vec::new() };
    let routes = Routes::new(standard().into_iter().chain(sliding)).aliases(checked.settings.http.aliases);
    Ok(application.routes(routes).build()?)
}

#[cfg(test)]
mod tests {
    use auth_accounts::password::RawPassword;
    use auth_conformance::{RecordedEvents, TestService, new_user};
    use auth_core::event::EventKind;
    use auth_core::ports::SecurityEvents;
    use auth_diesel::DieselStore;

    use super::*;
    use crate::config::{Sources, load};

    struct Recorded(Arc<RecordedEvents>);

    impl Application for Recorded {
        type Store = DieselStore;

        fn name(&self) -> &'static str {
            "recorded"
        }

        fn events(&self, _: &DieselStore) -> Arc<dyn SecurityEvents> {
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn an_application_can_replace_the_audit_log() {
        let folder = tempfile::tempdir().unwrap();
        let environment = vec![("AUTH__DATA__DIR".to_owned(), folder.path().display().to_string())];
        let checked = load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() }).unwrap();
        let events = Arc::new(RecordedEvents::default());
        let composition = Composition::without_keys(&checked, &Recorded(events.clone())).await.unwrap();
        let password = checked.accounts.passwords.check(RawPassword::new(TestService::PASSWORD), &[]).unwrap();
        composition.administration().create(&new_user("alice"), &password).await.unwrap();
        let kinds: Vec<_> = events.taken().iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::AccountAdministered]);
    }
}
