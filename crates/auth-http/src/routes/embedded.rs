//! The routes of the service with the services behind them: in an application of a host's own, or alone.

use std::fmt;
use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};
use auth_core::permission::Rule;
use auth_core::token::TokenKind;

use crate::app::{AccountApp, AccountServices, App};
use crate::endpoint::Endpoint;
use crate::endpoint::RouteGroup;
use crate::handlers::schema::SchemaDocument;
use crate::routes::unknown::unknown;
use crate::routes::{RouteError, RouteTable, Routes, sliding, standard};

/// Routes, and the services that their handlers work with. Everything is checked when it is made: no route lacks a
/// service, and no two routes have one path.
///
/// A host adds them to its own actix-web application:
///
/// ```no_run
/// # use actix_web::{App, HttpResponse, HttpServer, web};
/// # use auth_core::service::TokenService;
/// # use auth_http::CurrentUser;
/// # use auth_http::routes::{AuthRoutes, Endpoint};
/// # async fn notes(user: CurrentUser) -> HttpResponse { HttpResponse::Ok().body(user.username().to_owned()) }
/// # async fn home() -> HttpResponse { HttpResponse::Ok().finish() }
/// # async fn run(tokens: TokenService) -> Result<(), Box<dyn std::error::Error>> {
/// let auth = AuthRoutes::builder(auth_http::App::new(tokens))
///     .prefix("/auth")                                 // /auth/api/token/refresh/, /auth/.well-known/jwks.json, …
///     .with(Endpoint::new("/notes/").get(notes))       // Guarded: IsAuthenticated.
///     .build()?;
/// let server = HttpServer::new(move || {
///     App::new()
///         .configure(|config| auth.configure(config))
///         .route("/", web::get().to(home))             // The host's own responsibility.
/// });
/// # server.bind(("127.0.0.1", 8000))?.run().await?;
/// # Ok(()) }
/// ```
///
/// Guarded is what is registered as an [`Endpoint`] or wrapped in [`require`](fn@crate::require). What the host registers
/// with actix-web itself is left as it is, and so are the answers to unknown paths.
#[derive(Clone)]
pub struct AuthRoutes {
    table: RouteTable,
    app: web::Data<App>,
    document: web::Data<SchemaDocument>,
    accounts: Option<web::Data<AccountApp>>,
    data: Vec<AddData>,
}

/// Adds one thing that handlers work with.
type AddData = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

impl AuthRoutes {
    /// Begins with the routes for tokens (refresh, verify, blacklist, logout), documents (OpenAPI, JWK set) and health.
    pub fn builder(app: App) -> AuthRoutesBuilder {
        AuthRoutesBuilder::new(app)
    }

    /// Routes that were put together before, and the services behind them.
    ///
    /// # Errors
    /// [`RouteError::NoAccounts`] if a route works with accounts, and their services are not given.
    pub fn new(table: RouteTable, app: App, accounts: Option<AccountServices>) -> Result<Self, RouteError> {
        let needs_accounts = |endpoint: &&Endpoint| endpoint.group().is_some_and(RouteGroup::needs_accounts);
        if accounts.is_none()
            && let Some(endpoint) = table.endpoints().find(needs_accounts)
        {
            return Err(RouteError::NoAccounts(endpoint.path().to_owned()));
        }
        let app = web::Data::new(app);
        let accounts = accounts.map(|services| web::Data::new(AccountApp::new(app.clone(), services)));
        let (routes, credentials) = (table.clone(), app.settings.credentials.clone());
        let document = SchemaDocument::new(move || routes.openapi_document(&credentials));
        Ok(Self { table, app, document: web::Data::new(document), accounts, data: Vec::new() })
    }

    /// With something that handlers work with: they take a [`web::Data`] of it.
    pub fn with_data<T: Send + Sync + ?Sized + 'static>(mut self, data: web::Data<T>) -> Self {
        self.data.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
        self
    }

    /// The service that checks the tokens. [`require`](fn@crate::require) finds it in the application; where an application
    /// has two [`AuthRoutes`], a scope names its own, after any `configure`:
    ///
    /// ```no_run
    /// # use actix_web::{middleware::from_fn, web};
    /// # use auth_core::permission::Rule::IsAdmin;
    /// # fn of(staff: &auth_http::routes::AuthRoutes) {
    /// let payroll = web::scope("/payroll")
    ///     .app_data(staff.app())
    ///     .wrap(from_fn(|request, next| auth_http::require(IsAdmin, request, next)));
    /// # let _ = payroll; }
    /// ```
    pub fn app(&self) -> web::Data<App> {
        self.app.clone()
    }

    /// The routes alone. Its `Display` is a table: methods, path, rule.
    pub const fn table(&self) -> &RouteTable {
        &self.table
    }

    /// Adds every route to an application of the host's own, which must not be a [`web::scope`]: a
    /// [prefix](AuthRoutesBuilder::prefix) does what a scope does. A path of the service without its last slash is
    /// redirected: an application that is wrapped in [`NormalizePath`](actix_web::middleware::NormalizePath) must not trim
    /// that slash, or the redirect leads to itself.
    ///
    /// Several can be added to one application: each of their routes stays with its own service.
    pub fn configure(&self, config: &mut ServiceConfig) {
        self.register(config);
        self.table.register_redirects(config, &|resource| self.bound(resource));
    }

    /// Adds every route, and the answer to all other paths.
    pub(crate) fn configure_alone(&self, config: &mut ServiceConfig) {
        self.register(config);
        config.default_service(web::to(unknown));
    }

    /// Each route keeps the service that it was made with, whatever else the application is given.
    fn register(&self, config: &mut ServiceConfig) {
        config.app_data(self.app.clone()).app_data(web::Data::new(self.table.clone()));
        self.data.iter().for_each(|add| add(config));
        self.table.register(config, &|resource| self.bound(resource));
    }

    fn bound(&self, resource: Resource) -> Resource {
        let resource = resource.app_data(self.app.clone()).app_data(web::Data::new(self.table.clone()));
        let resource = resource.app_data(self.document.clone());
        match &self.accounts {
            Some(accounts) => resource.app_data(accounts.clone()),
            None => resource,
        }
    }
}

impl fmt::Debug for AuthRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthRoutes").field(&self.table).finish()
    }
}

/// [`AuthRoutes`] as they are put together.
pub struct AuthRoutesBuilder {
    routes: Routes,
    app: App,
    accounts: Option<AccountServices>,
}

impl AuthRoutesBuilder {
    fn new(app: App) -> Self {
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
