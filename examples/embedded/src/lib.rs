//! An actix-web service with its own users, which have UUID keys and bcrypt hashes. It takes the token endpoints from
//! `auth-http`: refresh, verification, logout, the JWK set and the OpenAPI document under `/auth`, and guards for its routes.
//!
//! It authenticates its users itself (`POST /login`) and then calls `TokenService::start_session`. It has no account services:
//! no registration, email or second factor of `auth-accounts`.

pub mod store;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use auth_core::event::SecurityEvent;
use auth_core::permission::Rule::IsAdmin;
use auth_core::ports::SecurityEvents;
use auth_core::service::{TokenPolicy, TokenPorts, TokenService};
use auth_core::token::Authentication;
use auth_crypto::{KeyRing, SystemClock, SystemRandomness};
use auth_http::body::{Body, FieldReader, TEXT};
use auth_http::routes::{AuthRoutes, Endpoint, RouteError};
use auth_http::{ApiError, CurrentUser, client_info};
use serde_json::json;

use crate::store::Store;

/// The service. Build it once and configure the application of each worker with it.
#[derive(Clone)]
pub struct Service {
    routes: AuthRoutes,
}

impl Service {
    /// Creates a service with these users and this signing key.
    ///
    /// # Errors
    /// [`RouteError`] if two routes have the same path, or the prefix is not a path.
    pub fn new(store: Store, keys: KeyRing) -> Result<Self, RouteError> {
        let (store, jwks) = (Arc::new(store), keys.jwks());
        let ports = TokenPorts {
            store: store.clone(),
            signer: Arc::new(keys),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            events: Arc::new(StandardError),
            auth_cache: None,
            reuse_notices: None,
        };
        let tokens = TokenService::new(ports, TokenPolicy::default());
        let routes = AuthRoutes::builder(auth_http::App { jwks, ..auth_http::App::new(tokens.clone()) })
            .prefix("/auth")
            .without_health()
            .with(Endpoint::new("/login").without_credentials().post(login))
            .with(Endpoint::new("/whoami").get(whoami)) // Without a rule: IsAuthenticated.
            .with(Endpoint::new("/users").rule(IsAdmin).get(users))
            .build()?
            .with_data(web::Data::new(tokens))
            .with_data(web::Data::from(store));
        Ok(Self { routes })
    }

    /// Adds the routes with their rules, and a page that is registered with actix-web directly and so has no rule.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        self.routes.configure(config);
        config.route("/", web::get().to(home));
    }
}

/// `POST /login`: takes `email` and `password`, and starts a session. A real service must also limit the attempts per client
/// IP and account, and the number of concurrent password checks.
async fn login(
    request: HttpRequest,
    tokens: web::Data<TokenService>,
    store: web::Data<Store>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    let (email, password) = (reader.required("email", TEXT), reader.required("password", TEXT));
    let (Some(email), Some(password)) = (email, password) else { return Err(ApiError::fields(reader.into_errors())) };
    // The user is read before the password check: if the user changes meanwhile, no session starts.
    let (user, hash) = store.find_by_email(&email).unzip();
    if !web::block(move || is_right(&password, hash)).await.unwrap_or(false) {
        return Err(wrong_credentials());
    }
    let user = user.ok_or_else(wrong_credentials)?;
    // After a passkey this would be `Authentication::new(["hwk", "mfa"], now)`.
    let authentication = Authentication::by_password(tokens.ports().clock.now());
    let pair = tokens.start_session(&user, &authentication, client_info(&request)).await?;
    Ok(HttpResponse::Ok().json(json!({"access": pair.access.into_exposed(), "refresh": pair.refresh.into_exposed()})))
}

/// Compares a password. An unknown user takes as long as a known one.
fn is_right(password: &str, hash: Option<String>) -> bool {
    match hash {
        Some(hash) => bcrypt::verify(password, &hash).unwrap_or(false),
        None => {
            let _ = bcrypt::hash(password, bcrypt::DEFAULT_COST);
            false
        }
    }
}

fn wrong_credentials() -> ApiError {
    ApiError::coded(StatusCode::UNAUTHORIZED, "Wrong email address or password.", "wrong_credentials")
}

/// `GET /whoami`.
async fn whoami(user: CurrentUser) -> HttpResponse {
    HttpResponse::Ok().json(json!({"id": user.user().id.to_json(), "email": user.user().email}))
}

/// `GET /users`, for staff.
async fn users(store: web::Data<Store>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"count": store.count_users()}))
}

async fn home() -> &'static str {
    "A page that anyone may read."
}

/// The audit log, on standard error.
struct StandardError;

impl SecurityEvents for StandardError {
    #[expect(clippy::print_stderr, reason = "an example has no log")]
    fn record(&self, event: SecurityEvent) {
        eprintln!("{} user={:?}", event.kind.name(), event.user);
    }
}
