//! The same program as the example `blog`, built with the tests, so that they never run one that is out of date.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(blog::Blog)
}
