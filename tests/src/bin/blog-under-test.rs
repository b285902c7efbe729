//! The example `blog`, built together with the tests so that they never run an outdated binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(blog::Blog)
}
