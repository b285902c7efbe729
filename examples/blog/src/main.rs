//! `blog`: see the README beside this folder.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_server::run(blog::Blog)
}
