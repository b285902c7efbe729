//! The program `auth-server`, built together with the tests so that they never run an outdated binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(auth_server::ServiceAlone)
}
