//! Servers whose answers do not depend on how fast the machine is.

use auth_tests::{Answer, Database, ServerOptions};

/// A server of a profile where a used token is a retry for an hour, and where a call waits for its database connection.
pub(crate) fn options(database: &Database, profile: &str) -> ServerOptions {
    database.server(profile).envs(&[
        ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600"),
        ("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "60000"),
    ])
}

/// Options under which any number of clients may send a wrong password for one account, or try it at once.
pub(crate) fn without_login_delay(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1000")
}

/// Panics unless the token is refused as a used or revoked one.
#[track_caller]
pub(crate) fn assert_blacklisted(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("detail"), "Token is blacklisted");
    assert_eq!(answer.field("code"), "token_not_valid");
}
