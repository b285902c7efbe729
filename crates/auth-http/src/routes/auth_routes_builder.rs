//! The builder of [`AuthRoutes`]: which routes of the service a host serves, and under which prefix.

use std::fmt;

use auth_core::permission::Rule;
use auth_core::token::TokenKind;

use crate::app::{AccountServices, App};
use crate::endpoint::{Endpoint, EndpointGroup};
use crate::routes::{AuthRoutes, RouteError, Routes, sliding, standard};

/// Builder of [`AuthRoutes`].
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

    /// Adds the account routes: login, registration, profile, passwords, email addresses, second factors.
    pub fn accounts(mut self, services: AccountServices) -> Self {
        self.accounts = Some(services);
        self
    }

    /// Sets a prefix for the paths of the service, such as `/auth`; leading and trailing slashes are ignored. It also applies to
    /// redirects, the OpenAPI document and the JWK set, but not to links in emails, whose paths are configured separately.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { routes: self.routes.prefix(prefix), ..self }
    }

    /// Whether aliases such as `/accounts/token/` are served; off by default.
    pub fn aliases(self, served: bool) -> Self {
        Self { routes: self.routes.aliases(served), ..self }
    }

    /// Adds an endpoint of the host. It is guarded, and the prefix does not apply to it.
    pub fn with(self, endpoint: Endpoint) -> Self {
        Self { routes: self.routes.with(endpoint), ..self }
    }

    /// Replaces the rule of an existing route: see [`Routes::rule_for`].
    pub fn rule_for(self, path: &str, rule: Rule) -> Self {
        Self { routes: self.routes.rule_for(path, rule), ..self }
    }

    /// Leaves out refresh, verify, blacklist and logout.
    pub fn without_tokens(self) -> Self {
        self.without(EndpointGroup::Tokens)
    }

    /// Leaves out the login with a password, for a host that has its own.
    pub fn without_login(self) -> Self {
        self.without(EndpointGroup::Login)
    }

    /// Leaves out registration.
    pub fn without_registration(self) -> Self {
        self.without(EndpointGroup::Registration)
    }

    /// Leaves out the profile, passwords and email addresses.
    pub fn without_profile(self) -> Self {
        self.without(EndpointGroup::Accounts)
    }

    /// Leaves out second factors. Users who have one can then not log in.
    pub fn without_second_factors(self) -> Self {
        self.without(EndpointGroup::SecondFactors)
    }

    /// Leaves out the OpenAPI document and the JWK set.
    pub fn without_documents(self) -> Self {
        self.without(EndpointGroup::Documents)
    }

    /// Leaves out `/healthz` and `/readyz`.
    pub fn without_health(self) -> Self {
        self.without(EndpointGroup::Health)
    }

    fn without(mut self, group: EndpointGroup) -> Self {
        self.routes.retain(|endpoint| endpoint.group() != Some(group));
        self
    }

    /// Checks the routes and builds them.
    ///
    /// # Errors
    /// [`RouteError`], for example if the prefix is not a path, or a route of the host has a path of the service.
    ///
    /// # Panics
    /// If a path is not a valid pattern of actix-web, such as `/a/{`.
    pub fn build(mut self) -> Result<AuthRoutes, RouteError> {
        if self.accounts.is_none() {
            self.routes.retain(|endpoint| !endpoint.group().is_some_and(EndpointGroup::needs_accounts));
        }
        AuthRoutes::new(self.routes.build()?, self.app, self.accounts)
    }
}

impl fmt::Debug for AuthRoutesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthRoutesBuilder").field(&self.routes).finish()
    }
}
