//! The routes: every path, its methods, and who may call it. A table, so that it can be read, printed and compared.

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError, Route, web};

use crate::app::App;
use crate::error::ApiError;
use crate::gate::gate;
use crate::handlers::{blacklist, health, jwks, login, logout, me, refresh, register, schema, unknown, verify};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; credentials are not looked at.
    Open,
    /// Anybody; but whoever shows credentials must show good ones.
    OpenUnlessBad,
    /// The bearer of a good access token.
    Authenticated,
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Its path.
    pub path: &'static str,
    /// Other spellings of the path, served when aliases are on.
    pub aliases: &'static [&'static str],
    /// Its methods, as the `Allow` header names them.
    pub allow: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What `OPTIONS` calls it, with its description; `None` for operational routes, where content negotiation and
    /// `OPTIONS` are not part of the contract.
    pub about: Option<(&'static str, &'static str)>,
    routes: fn() -> Vec<Route>,
}

fn post<F, Args>(handler: F) -> Vec<Route>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    vec![web::post().to(handler)]
}

fn get<F, Args>(handler: F) -> Vec<Route>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    vec![web::get().to(handler.clone()), web::head().to(handler)]
}

fn me_routes() -> Vec<Route> {
    let mut routes = get(me::show);
    routes.extend([web::put().to(me::replace), web::patch().to(me::change)]);
    routes
}

/// Every route.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/api/register/",
        aliases: &["/accounts/register/"],
        allow: "POST, OPTIONS",
        access: Access::OpenUnlessBad,
        about: Some(("Register", "")),
        routes: || post(register::register),
    },
    Endpoint {
        path: "/api/token/",
        aliases: &["/accounts/token/"],
        allow: "POST, OPTIONS",
        access: Access::Open,
        about: Some((
            "Token Obtain Pair",
            "Takes a set of user credentials and returns an access and refresh JSON web\ntoken pair to prove the \
             authentication of those credentials.",
        )),
        routes: || post(login::login),
    },
    Endpoint {
        path: "/api/token/refresh/",
        aliases: &["/accounts/token/refresh/"],
        allow: "POST, OPTIONS",
        access: Access::Open,
        about: Some((
            "Token Refresh",
            "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is \
             valid.",
        )),
        routes: || post(refresh::refresh),
    },
    Endpoint {
        path: "/api/token/verify/",
        aliases: &[],
        allow: "POST, OPTIONS",
        access: Access::Open,
        about: Some((
            "Token Verify",
            "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's fitness \
             for a particular use.",
        )),
        routes: || post(verify::verify),
    },
    Endpoint {
        path: "/api/token/blacklist/",
        aliases: &[],
        allow: "POST, OPTIONS",
        access: Access::Open,
        about: Some(("Token Blacklist", "Takes a refresh token and ends the session it belongs to.")),
        routes: || post(blacklist::blacklist),
    },
    Endpoint {
        path: "/api/logout/",
        aliases: &["/logout_token/"],
        allow: "POST, OPTIONS",
        access: Access::Authenticated,
        about: Some(("Logout", "Ends one session, all others, or all sessions of the caller.")),
        routes: || post(logout::logout),
    },
    Endpoint {
        path: "/api/users/me/",
        aliases: &[],
        allow: "GET, PUT, PATCH, HEAD, OPTIONS",
        access: Access::Authenticated,
        about: Some(("Me", "")),
        routes: me_routes,
    },
    Endpoint {
        path: "/.well-known/jwks.json",
        aliases: &[],
        allow: "GET, HEAD",
        access: Access::Open,
        about: None,
        routes: || get(jwks::jwks),
    },
    Endpoint {
        path: "/healthz",
        aliases: &[],
        allow: "GET, HEAD",
        access: Access::Open,
        about: None,
        routes: || get(health::alive),
    },
    Endpoint {
        path: "/readyz",
        aliases: &[],
        allow: "GET, HEAD",
        access: Access::Open,
        about: None,
        routes: || get(health::ready),
    },
    Endpoint {
        path: "/api/schema/",
        aliases: &[],
        allow: "GET, HEAD",
        access: Access::Open,
        about: None,
        routes: || get(schema::schema),
    },
];

impl Endpoint {
    /// The paths it is served at.
    pub(crate) fn paths(&self, aliases: bool) -> impl Iterator<Item = &'static str> {
        let others = if aliases { self.aliases } else { &[] };
        std::iter::once(self.path).chain(others.iter().copied())
    }

    fn resource(&'static self, path: &'static str) -> Resource {
        let mut resource = web::resource(path);
        for route in (self.routes)() {
            resource = resource.route(route);
        }
        if let Some(about) = self.about {
            let options = move || async move { unknown::describe(about) };
            resource = resource.route(web::method(Method::OPTIONS).to(options));
        }
        resource.default_service(web::to(method_not_allowed))
    }
}

async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    let detail = format!("Method \"{}\" not allowed.", request.method());
    ApiError::detail(StatusCode::METHOD_NOT_ALLOWED, detail).error_response()
}

/// Adds every route, and the answer to paths that are none. The application needs a [`web::Data`] of [`App`], the
/// middleware [`outer`](fn@crate::outer), and nothing else.
pub fn configure(config: &mut web::ServiceConfig, app: &web::Data<App>) {
    config.app_data(app.clone());
    for endpoint in ENDPOINTS {
        for path in endpoint.paths(app.settings.aliases) {
            let guard = from_fn(move |request, next| gate(endpoint, request, next));
            config.service(endpoint.resource(path).wrap(guard));
        }
    }
    config.default_service(web::to(unknown::unknown));
}

/// Whether there is a route at exactly this path.
pub(crate) fn is_route(path: &str, aliases: bool) -> bool {
    ENDPOINTS.iter().any(|endpoint| endpoint.paths(aliases).any(|known| known == path))
}
