//! Which routes of the service a host mounts, and where.

use std::fmt;

use auth_core::permission::Rule;
use auth_core::token::TokenKind;

use crate::app::{AccountServices, App};
use crate::endpoint::{Endpoint, RouteGroup};
use crate::routes::{AuthRoutes, RouteError, Routes, sliding, standard};

/// [`AuthRoutes`] as they are put together.
pub struct AuthRoutesBuilder {
    routes: Routes,
    app: App,
    accounts: Option<AccountServices>,
}

impl AuthRoutesBuilder {
    pub(super) fn new(app: App) -> Self {
        let slides = app.tokens.policy().accepted_kinds.contains(&TokenKind::Sliding);
        let sliding = if slides { sliding() } else { Vec::new() };
        Self { routes: Routes::new(standard().into_iter().chain(sliding)), app, accounts: None }
    }

    /// With the routes for accounts too: login, registration, profile, passwords, email addresses, second factors.
    pub fn accounts(mut self, services: AccountServices) -> Self {
        self.accounts = Some(services);
        self
    }

    /// With a prefix before the paths of the service, such as `/auth`; slashes at either end make no difference. Paths in
    /// the OpenAPI document, redirects and the path of the JWK set have it too; links in emails have the paths that are
    /// configured for them.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { routes: self.routes.prefix(prefix), ..self }
    }

    /// With the other spellings of the paths (such as `/accounts/token/`), or without, as by default.
    pub fn aliases(self, served: bool) -> Self {
        Self { routes: self.routes.aliases(served), ..self }
    }

    /// With a route of the host, at its path as it is: the prefix does not stand before it. It is guarded.
    pub fn with(self, endpoint: Endpoint) -> Self {
        Self { routes: self.routes.with(endpoint), ..self }
    }

    /// With another rule for a route that is there: see [`Routes::rule_for`].
    pub fn rule_for(self, path: &str, rule: Rule) -> Self {
        Self { routes: self.routes.rule_for(path, rule), ..self }
    }

    /// Without refresh, verification, blacklist and logout.
    pub fn without_tokens(self) -> Self {
        self.without(RouteGroup::Tokens)
    }

    /// Without the login by password, for a host that has its own.
    pub fn without_login(self) -> Self {
        self.without(RouteGroup::Login)
    }

    /// Without registration.
    pub fn without_registration(self) -> Self {
        self.without(RouteGroup::Registration)
    }

    /// Without profile, passwords and email addresses.
    pub fn without_profile(self) -> Self {
        self.without(RouteGroup::Accounts)
    }

    /// Without second factors. The login of a user who has one then cannot be completed.
    pub fn without_second_factors(self) -> Self {
        self.without(RouteGroup::SecondFactors)
    }

    /// Without the OpenAPI document and the JWK set.
    pub fn without_documents(self) -> Self {
        self.without(RouteGroup::Documents)
    }

    /// Without `/healthz` and `/readyz`.
    pub fn without_health(self) -> Self {
        self.without(RouteGroup::Health)
    }

    fn without(mut self, group: RouteGroup) -> Self {
        self.routes.retain(|endpoint| endpoint.group() != Some(group));
        self
    }

    /// Checks them.
    ///
    /// # Errors
    /// [`RouteError`], which names the path: a prefix that is not a path, or a route of the host at a path of the service.
    ///
    /// # Panics
    /// If actix-web cannot read a path as a pattern, such as `/a/{`.
    pub fn build(mut self) -> Result<AuthRoutes, RouteError> {
        if self.accounts.is_none() {
            self.routes.retain(|endpoint| !endpoint.group().is_some_and(RouteGroup::needs_accounts));
        }
        AuthRoutes::new(self.routes.build()?, self.app, self.accounts)
    }
}

impl fmt::Debug for AuthRoutesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthRoutesBuilder").field(&self.routes).finish()
    }
}
