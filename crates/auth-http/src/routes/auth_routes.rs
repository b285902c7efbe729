//! The routes of the service with the services behind them, for a host's application or alone.

use std::fmt;
use std::sync::Arc;

use actix_web::Resource;
use actix_web::web::{self, ServiceConfig};

use crate::app::{AccountApp, AccountServices, App};
use crate::endpoint::Endpoint;
use crate::endpoint::EndpointGroup;
use crate::handlers::schema::SchemaDocument;
use crate::routes::unknown::unknown;
use crate::routes::{AuthRoutesBuilder, RouteError, RouteTable};

/// Routes, and the services behind them. Construction checks that no route lacks a service and that no two routes have the
/// same path.
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
/// Only an [`Endpoint`] or what is wrapped in [`require`](fn@crate::require) is guarded. What the host registers with
/// actix-web directly is unchanged, and so are the responses to unknown paths.
#[derive(Clone)]
pub struct AuthRoutes {
    table: RouteTable,
    app: web::Data<App>,
    document: web::Data<SchemaDocument>,
    accounts: Option<web::Data<AccountApp>>,
    data: Vec<AddData>,
}

/// Adds one value to the application data.
type AddData = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

impl AuthRoutes {
    /// Starts with the routes for tokens (refresh, verify, blacklist, logout), documents (OpenAPI, JWK set) and health.
    pub fn builder(app: App) -> AuthRoutesBuilder {
        AuthRoutesBuilder::new(app)
    }

    /// Combines a route table with the services behind it.
    ///
    /// # Errors
    /// [`RouteError::NoAccounts`] if `accounts` is `None` and a route needs it.
    pub fn new(table: RouteTable, app: App, accounts: Option<AccountServices>) -> Result<Self, RouteError> {
        let needs_accounts = |endpoint: &&Endpoint| endpoint.group().is_some_and(EndpointGroup::needs_accounts);
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

    /// Adds application data, which handlers extract as [`web::Data`].
    pub fn with_data<T: Send + Sync + ?Sized + 'static>(mut self, data: web::Data<T>) -> Self {
        self.data.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
        self
    }

    /// The data with which [`require`](fn@crate::require) authenticates callers. An application with one [`AuthRoutes`] finds
    /// it by itself; with several, each scope adds its own, after any `configure`:
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

    /// The route table. Its `Display` prints a row for each route: path, methods, rule.
    pub const fn table(&self) -> &RouteTable {
        &self.table
    }

    /// Adds every route to the application of a host. Use a [prefix](AuthRoutesBuilder::prefix) instead of a [`web::scope`].
    ///
    /// A path of the service without its trailing slash is redirected. If the application is wrapped in
    /// [`NormalizePath`](actix_web::middleware::NormalizePath), that must not trim trailing slashes, or the redirect loops.
    ///
    /// One application can have several `AuthRoutes`: each route keeps its own services.
    pub fn configure(&self, config: &mut ServiceConfig) {
        self.register(config);
        self.table.register_redirects(config, &|resource| self.bound(resource));
    }

    /// Adds every route, and a handler for all other paths.
    pub(crate) fn configure_alone(&self, config: &mut ServiceConfig) {
        self.register(config);
        config.default_service(web::to(unknown));
    }

    fn register(&self, config: &mut ServiceConfig) {
        config.app_data(self.app.clone()).app_data(web::Data::new(self.table.clone()));
        self.data.iter().for_each(|add| add(config));
        self.table.register(config, &|resource| self.bound(resource));
    }

    /// Binds a route to its services, so that other application data does not replace them.
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
