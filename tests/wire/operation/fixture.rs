//! Options that make answers independent of the speed of the machine.

use auth_tests::{Answer, Database, ServerOptions};

/// Options of a profile with a replay window of an hour, where calls wait for a database connection.
pub(crate) fn options(database: &Database, profile: &str) -> ServerOptions {
    database.server(profile).envs(&[
        ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600"),
        ("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "60000"),
    ])
}

/// Allows any number of wrong passwords for one account, and of concurrent attempts.
pub(crate) fn without_login_delay(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1000")
}

/// Panics unless the token is refused as used or revoked.
#[track_caller]
pub(crate) fn assert_blacklisted(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("detail"), "Token is blacklisted");
    assert_eq!(answer.field("code"), "token_not_valid");
}
