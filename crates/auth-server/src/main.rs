//! `auth-server`: a token-authentication service in one binary.

use std::process::ExitCode;

use auth_server::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    auth_server::run(Cli::parse())
}
