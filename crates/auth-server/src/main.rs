//! `auth-server`: a token-authentication service in one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(auth_server::ServiceAlone)
}
