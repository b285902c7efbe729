//! The OpenAPI 3.1 document, generated from the handlers.

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::endpoint::Endpoint;
use crate::handlers::{
    blacklist, email, health, jwks, login, logout, me, password, refresh, register, schema, second_factor,
    second_factors, sliding, verify,
};
use crate::settings::CredentialHeader;

#[derive(OpenApi)]
#[openapi(
    info(title = "Token authentication", description = "Accounts, access tokens, rotating refresh tokens, logout."),
    paths(
        register::register,
        login::login,
        second_factor::answer,
        refresh::refresh,
        verify::verify,
        blacklist::blacklist,
        sliding::login,
        sliding::refresh,
        logout::logout,
        me::show,
        me::replace,
        me::change,
        password::change,
        password::request_reset,
        password::confirm_reset,
        email::verify,
        email::resend,
        second_factors::status::show,
        second_factors::enrolment::enrol,
        second_factors::enrolment::confirm,
        second_factors::challenge::challenge,
        second_factors::removal::remove,
        second_factors::recovery_codes::recovery_codes,
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

/// Returns the OpenAPI 3.1 document with every endpoint of the service.
pub fn document() -> Document {
    Api::openapi()
}

/// Returns the document with only these endpoints, and with the configured credential header. Endpoints of a host are not
/// described.
pub(crate) fn document_of<'a>(
    endpoints: impl Iterator<Item = &'a Endpoint>,
    credentials: &CredentialHeader,
) -> Document {
    let mut document = document();
    if !credentials.is_standard() {
        let description = format!("The scheme {} and an access token, separated by a space.", credentials.scheme());
        let key = ApiKeyValue::with_description(credentials.name(), &description);
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::ApiKey(ApiKey::Header(key)));
    }
    let mut described = std::mem::take(&mut document.paths.paths);
    for endpoint in endpoints.filter(|endpoint| endpoint.is_own()) {
        if let Some(item) = described.remove(endpoint.documented_path()) {
            document.paths.paths.insert(endpoint.path().to_owned(), item);
        }
    }
    document
}
