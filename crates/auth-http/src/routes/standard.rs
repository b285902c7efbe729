//! The endpoints of the service.

use auth_core::permission::Rule;

use crate::endpoint::Endpoint;
use crate::endpoint::EndpointGroup::{Accounts, Documents, Health, Login, Registration, SecondFactors, Tokens};
use crate::handlers::{
    blacklist, email, health, jwks, login, logout, me, password, refresh, register, schema, second_factor,
    second_factors, sliding as sliding_tokens, verify,
};

/// Returns the endpoints of the service, without those for [`sliding`] tokens.
pub fn standard() -> Vec<Endpoint> {
    let mut endpoints = token_endpoints();
    endpoints.extend(account_endpoints());
    endpoints.extend(second_factor_endpoints());
    endpoints.extend([
        Endpoint::new("/api/register/")
            .alias("/accounts/register/")
            .named("Register", "")
            .in_group(Registration)
            .rule(Rule::AllowAny)
            .post(register::register),
        Endpoint::new("/api/logout/")
            .alias("/logout_token/")
            .named("Logout", "Ends one session, all others, or all sessions of the caller.")
            .in_group(Tokens)
            .post(logout::logout),
        Endpoint::new("/api/users/me/")
            .named("Me", "")
            .in_group(Accounts)
            .get(me::show)
            .put(me::replace)
            .patch(me::change),
        Endpoint::new("/.well-known/jwks.json").in_group(Documents).without_credentials().get(jwks::jwks),
        Endpoint::new("/healthz").in_group(Health).without_credentials().get(health::alive),
        Endpoint::new("/readyz").in_group(Health).without_credentials().get(health::ready),
        Endpoint::new("/api/schema/").in_group(Documents).without_credentials().get(schema::schema),
    ]);
    endpoints
}

fn account_endpoints() -> Vec<Endpoint> {
    let endpoints = [
        Endpoint::new("/api/users/me/password/")
            .named("Password", "Changes the password; the other sessions of the caller end.")
            .post(password::change),
        Endpoint::new("/api/password-reset/")
            .named("Password Reset", "Sends a link to set a new password.")
            .without_credentials()
            .post(password::request_reset),
        Endpoint::new("/api/password-reset/confirm/")
            .named("Password Reset Confirm", "Sets a new password with the token of a link.")
            .without_credentials()
            .post(password::confirm_reset),
        Endpoint::new("/api/email/verify/")
            .named("Email Verify", "Verifies an email address with the token of a link.")
            .without_credentials()
            .post(email::verify),
        Endpoint::new("/api/email/verify/resend/")
            .named("Email Verify Resend", "Sends another link to verify an email address.")
            .without_credentials()
            .post(email::resend),
    ];
    endpoints.map(|endpoint| endpoint.in_group(Accounts)).into()
}

fn second_factor_endpoints() -> Vec<Endpoint> {
    let endpoints = [
        Endpoint::new("/api/users/me/second-factors/")
            .named("Second Factors", "Shows the second factors of the caller, and starts to add one.")
            .get(second_factors::status::show)
            .post(second_factors::enrolment::enrol),
        Endpoint::new("/api/users/me/second-factors/confirm/")
            .named("Second Factor Confirm", "Adds a second factor with its first code.")
            .post(second_factors::enrolment::confirm),
        Endpoint::new("/api/users/me/second-factors/challenge/")
            .named("Second Factor Challenge", "Starts a second-factor challenge.")
            .post(second_factors::challenge::challenge),
        Endpoint::new("/api/users/me/second-factors/remove/")
            .named("Second Factor Remove", "Removes a second factor.")
            .post(second_factors::removal::remove),
        Endpoint::new("/api/users/me/second-factors/recovery-codes/")
            .named("Recovery Codes", "Generates ten new recovery codes.")
            .post(second_factors::recovery_codes::recovery_codes),
    ];
    endpoints.map(|endpoint| endpoint.in_group(SecondFactors)).into()
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
            .in_group(Login)
            .without_credentials()
            .post(login::login),
        Endpoint::new("/api/token/second-factor/")
            .named("Token Second Factor", "Takes a challenge and a code, and completes the login.")
            .in_group(SecondFactors)
            .without_credentials()
            .post(second_factor::answer),
        Endpoint::new("/api/token/refresh/")
            .alias("/accounts/token/refresh/")
            .named(
                "Token Refresh",
                "Takes a refresh type JSON web token and returns an access type JSON web\ntoken if the refresh token is \
                 valid.",
            )
            .in_group(Tokens)
            .without_credentials()
            .post(refresh::refresh),
        Endpoint::new("/api/token/verify/")
            .named(
                "Token Verify",
                "Takes a token and indicates if it is valid.  This view provides no\ninformation about a token's \
                 fitness for a particular use.",
            )
            .in_group(Tokens)
            .without_credentials()
            .post(verify::verify),
        Endpoint::new("/api/token/blacklist/")
            .named("Token Blacklist", "Takes a refresh token and ends the session it belongs to.")
            .in_group(Tokens)
            .without_credentials()
            .post(blacklist::blacklist),
    ]
}

/// Returns the endpoints for sliding tokens, to be served if sliding tokens are accepted.
pub fn sliding() -> Vec<Endpoint> {
    vec![
        Endpoint::new("/api/token/sliding/")
            .named(
                "Token Obtain Sliding",
                "Takes a set of user credentials and returns a sliding JSON web token to\nprove the authentication of \
                 those credentials.",
            )
            .in_group(Login)
            .without_credentials()
            .post(sliding_tokens::login),
        Endpoint::new("/api/token/sliding/refresh/")
            .named(
                "Token Refresh Sliding",
                "Takes a sliding JSON web token and returns a new, refreshed version if the\ntoken's refresh period has \
                 not expired.",
            )
            .in_group(Tokens)
            .without_credentials()
            .post(sliding_tokens::refresh),
    ]
}
