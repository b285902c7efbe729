//! The OpenAPI 3.1 document, generated from the handlers.

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::handlers::{blacklist, health, jwks, login, logout, me, refresh, register, schema, verify};

#[derive(OpenApi)]
#[openapi(
    info(title = "Token authentication", description = "Accounts, access tokens, rotating refresh tokens, logout."),
    paths(
        register::register,
        login::login,
        refresh::refresh,
        verify::verify,
        blacklist::blacklist,
        logout::logout,
        me::show,
        me::replace,
        me::change,
        jwks::jwks,
        health::alive,
        health::ready,
        schema::schema,
    ),
    modifiers(&BearerScheme)
)]
struct Api;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut Document) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The OpenAPI 3.1 document of this service.
pub fn document() -> Document {
    Api::openapi()
}

#[cfg(test)]
mod tests {
    use crate::routes::ENDPOINTS;

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = super::document();
        let documented: Vec<_> = document.paths.paths.keys().map(String::as_str).collect();
        let mut routes: Vec<_> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
        routes.sort_unstable();
        assert_eq!(documented, routes);
    }
}
