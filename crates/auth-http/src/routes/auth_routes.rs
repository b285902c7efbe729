//! The routes of the service with the services behind them: in an application of a host's own, or alone.

use std::fmt;
use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};

use crate::app::{AccountApp, AccountServices, App};
use crate::endpoint::Endpoint;
use crate::endpoint::RouteGroup;
use crate::handlers::schema::SchemaDocument;
use crate::routes::unknown::unknown;
use crate::routes::{AuthRoutesBuilder, RouteError, RouteTable};

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
