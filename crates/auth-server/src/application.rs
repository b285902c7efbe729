//! What an application adds to the service: routes, tables, claims.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use auth_core::ports::{ClaimsProvider, SecurityEvents};
use auth_diesel::DieselStore;
use auth_http::routes::{AuthRoutes, Routes};

use crate::events::LoggedEvents;
use crate::storage::Storage;

/// An application that is served together with the accounts and tokens, by one program with the command line and the
/// configuration of `auth-server`: see [`run`](crate::run).
#[async_trait]
pub trait Application: Send + Sync {
    /// The storage of the accounts and sessions, normally [`DieselStore`].
    type Store: Storage;

    /// The name of the program.
    fn name(&self) -> &'static str;

    /// A one-line description for `--help`.
    fn about(&self) -> &'static str {
        "A token authentication service: accounts, JWT pairs, rotating refresh tokens, sessions that can be revoked"
    }

    /// Adds routes to those of the service.
    fn routes(&self, routes: Routes) -> Routes {
        routes
    }

    /// Adds application data for the handlers ([`with_data`](AuthRoutes::with_data)). Called once, with the storage of the
    /// accounts, so that the application can have tables in the same database.
    fn data(&self, routes: AuthRoutes, store: &Self::Store) -> AuthRoutes {
        let _ = store;
        routes
    }

    /// The names of the application's own pending migrations. If there are any and `database.auto_migrate` is off, the server
    /// does not start.
    async fn pending_migrations(&self, store: &Self::Store) -> Result<Vec<String>> {
        let _ = store;
        Ok(Vec::new())
    }

    /// Applies the application's own pending migrations and returns their names. Called after those of the service.
    async fn migrate(&self, store: &Self::Store) -> Result<Vec<String>> {
        let _ = store;
        Ok(Vec::new())
    }

    /// The audit log, which receives the security events. By default, they are log records with the target `security`. An
    /// application with its own audit log can still call [`LoggedEvents`].
    fn events(&self, store: &Self::Store) -> Arc<dyn SecurityEvents> {
        let _ = store;
        Arc::new(LoggedEvents)
    }

    /// Claims providers, in addition to the claims of `tokens.claims`.
    fn claims_providers(&self, store: &Self::Store) -> Vec<Arc<dyn ClaimsProvider>> {
        let _ = store;
        Vec::new()
    }
}

/// The service without an application.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceAlone;

impl Application for ServiceAlone {
    type Store = DieselStore;

    fn name(&self) -> &'static str {
        "auth-server"
    }
}
