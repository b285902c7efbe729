//! The service over the wire: real processes, real databases, real connections.
//!
//! | topic | what is tried |
//! |---|---|
//! | `contract` | each recorded row of the wire contract |
//! | `tutorials` | the walk-throughs that newcomers follow |
//! | `email` | password resets, changes of email addresses, second factors, rate limits, the outbox |
//! | `guarded_routes` | an application's own routes: credentials, invalidation, keys of another issuer |
//! | `bad_input` | what a hostile client sends |
//! | `operation` | starts, stops, crashes, outages, races, logs |
//! | `command_line` | each command of the program |
//! | `other_jwt_libraries` | tokens of other libraries here, and ours there |
//! | `harness` | the throw-away PostgreSQL itself |
//!
//! Cases do not sleep; they poll with a time limit. The exception is `contract`, which waits for the auth cache.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

mod bad_input;
mod command_line;
mod contract;
mod email;
mod guarded_routes;
mod harness;
mod operation;
mod other_jwt_libraries;
mod tutorials;

use std::process::ExitCode;

use auth_tests::{database, postgres};
use libtest_mimic::Arguments;

/// The service.
const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");
/// The example blog, which is the service and an application on it.
const BLOG: &str = env!("CARGO_BIN_EXE_blog-under-test");

/// How many cases run at the same time, unless the command line says otherwise: most of them wait for something.
const TEST_THREADS: usize = 12;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TEST_THREADS);
    database::migrate_with(BLOG);
    let (contract, bad_input, email) =
        (contract::Replay::new(), bad_input::SharedServers::new(), email::SharedServers::new());
    let topics = [
        contract.trials(),
        operation::trials(),
        email::trials(&email),
        guarded_routes::trials(),
        bad_input::trials(&bad_input),
        command_line::trials(),
        tutorials::trials(),
        other_jwt_libraries::trials(),
        harness::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, topics.into_iter().flatten().collect());
    let is_complete = contract.is_complete(&arguments);
    // The shared servers end here: a process that exits drops nothing.
    drop((contract, bad_input, email));
    postgres::drop_kept_databases();
    if conclusion.has_failed() || !is_complete { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
