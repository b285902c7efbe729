//! The same program as `auth-server`, built with the tests, so that they never run one that is out of date.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(auth_server::ServiceAlone)
}
