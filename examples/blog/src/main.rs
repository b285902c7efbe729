//! `blog`: see `README.md`.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(blog::Blog)
}
