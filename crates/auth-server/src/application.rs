//! What an application adds to the service: its routes, its tables, its claims. The service alone adds nothing.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use auth_core::ports::{ClaimsProvider, SecurityEvents};
use auth_diesel::DieselStore;
use auth_http::routes::{AuthRoutes, Routes};

use crate::events::LoggedEvents;
use crate::storage::Storage;

/// An application that is served together with the accounts and tokens, by one program with the flags, files and
/// environment of `auth-server`: see [`run`](crate::run).
#[async_trait]
pub trait Application: Send + Sync {
    /// The storage of the accounts and sessions. Without one of the application's own: [`DieselStore`].
    type Store: Storage;

    /// The name of the program.
    fn name(&self) -> &'static str;

    /// What it is, in one line of its help.
    fn about(&self) -> &'static str {
        "A token-authentication service: accounts, JWT pairs, rotating refresh tokens, logout that logs out"
    }

    /// Adds routes to those of the service.
    fn routes(&self, routes: Routes) -> Routes {
        routes
    }

    /// Gives the handlers what they work with ([`with_data`](AuthRoutes::with_data)), once. The storage is that of the
    /// accounts, for tables in the same database.
    fn data(&self, routes: AuthRoutes, store: &Self::Store) -> AuthRoutes {
        let _ = store;
        routes
    }

    /// What of the application's own tables is not up to date, by name: it stops a start that may change no table.
    async fn pending_migrations(&self, store: &Self::Store) -> Result<Vec<String>> {
        let _ = store;
        Ok(Vec::new())
    }

    /// Brings the application's own tables up to date; answers what was done. Called whenever those of the service are.
    async fn migrate(&self, store: &Self::Store) -> Result<Vec<String>> {
        let _ = store;
        Ok(Vec::new())
    }

    /// The audit log: where security events go. By default they are log records of the target `security`; an application
    /// that records them elsewhere too calls [`LoggedEvents`] itself.
    fn events(&self, store: &Self::Store) -> Arc<dyn SecurityEvents> {
        let _ = store;
        Arc::new(LoggedEvents)
    }

    /// Sources of claims, beside those of the configuration (`tokens.claims`).
    fn claims_providers(&self, store: &Self::Store) -> Vec<Arc<dyn ClaimsProvider>> {
        let _ = store;
        Vec::new()
    }
}

/// The service, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServiceAlone;

impl Application for ServiceAlone {
    type Store = DieselStore;

    fn name(&self) -> &'static str {
        "auth-server"
    }
}
