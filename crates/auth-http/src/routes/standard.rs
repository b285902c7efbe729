//! The routes of the service.

use auth_core::permission::Rule;

use crate::handlers::{
    blacklist, health, jwks, login, logout, me, refresh, register, schema, sliding as sliding_tokens, verify,
};
use crate::routes::Endpoint;

/// The routes of the service, but for those of [`sliding`] tokens.
pub fn standard() -> Vec<Endpoint> {
    let mut endpoints = token_endpoints();
    endpoints.extend([
        Endpoint::new("/api/register/")
            .alias("/accounts/register/")
            .named("Register", "")
            .rule(Rule::AllowAny)
            .post(register::register),
        Endpoint::new("/api/logout/")
            .alias("/logout_token/")
            .named("Logout", "Ends one session, all others, or all sessions of the caller.")
            .post(logout::logout),
        Endpoint::new("/api/users/me/").named("Me", "").get(me::show).put(me::replace).patch(me::change),
        Endpoint::new("/.well-known/jwks.json").without_credentials().get(jwks::jwks),
        Endpoint::new("/healthz").without_credentials().get(health::alive),
        Endpoint::new("/readyz").without_credentials().get(health::ready),
        Endpoint::new("/api/schema/").without_credentials().get(schema::schema),
    ]);
    endpoints
}

fn token_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("/api/token/")
            .alias("/accounts/token/")
            .named(
                "Token Obtain Pair",
                "Takes a set of user credentials and returns an access and refresh JSON web\ntoken pair to prove the \
                 authentication of those credentials.",
            )
            .without_credentials()
            .post(login::login),
        Endpoint::new("/api/token/refresh/")
            .alias("/accounts/token/refresh/")
            .named(
                "Token Refresh",
                "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is \
                 valid.",
            )
            .without_credentials()
            .post(refresh::refresh),
        Endpoint::new("/api/token/verify/")
            .named(
                "Token Verify",
                "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's \
                 fitness for a particular use.",
            )
            .without_credentials()
            .post(verify::verify),
        Endpoint::new("/api/token/blacklist/")
            .named("Token Blacklist", "Takes a refresh token and ends the session it belongs to.")
            .without_credentials()
            .post(blacklist::blacklist),
    ]
}

/// The routes of sliding tokens: for where those open guarded routes.
pub fn sliding() -> Vec<Endpoint> {
    vec![
        Endpoint::new("/api/token/sliding/")
            .named(
                "Token Obtain Sliding",
                "Takes a set of user credentials and returns a sliding JSON web token to\nprove the authentication of \
                 those credentials.",
            )
            .without_credentials()
            .post(sliding_tokens::login),
        Endpoint::new("/api/token/sliding/refresh/")
            .named(
                "Token Refresh Sliding",
                "Takes a sliding JSON web token and returns a new, refreshed version if the\ntoken's refresh period has \
                 not expired.",
            )
            .without_credentials()
            .post(sliding_tokens::refresh),
    ]
}
