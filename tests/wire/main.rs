//! End-to-end tests: real processes, databases and connections.
//!
//! | module | what it tests |
//! |---|---|
//! | `contract` | every recorded row of the wire contract |
//! | `tutorials` | the steps of popular tutorials |
//! | `email` | password resets, changes of email addresses, second factors, rate limits, the outbox |
//! | `guarded_routes` | the routes of an application: credentials, invalidation, keys of another issuer |
//! | `bad_input` | malformed and malicious requests |
//! | `operation` | starts, stops, crashes, outages, races, logs |
//! | `command_line` | every command of the program |
//! | `other_jwt_libraries` | tokens exchanged with other libraries |
//! | `harness` | the temporary PostgreSQL itself |
//!
//! Cases poll with a time limit instead of sleeping, except `contract`, which waits for the auth cache.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

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

/// The program `auth-server`.
const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");
/// The example blog, an application on top of the service.
const BLOG: &str = env!("CARGO_BIN_EXE_blog-under-test");

/// How many cases run concurrently by default: most of them wait for something.
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
    // Stop the shared servers before their databases are dropped.
    drop((contract, bad_input, email));
    postgres::drop_kept_databases();
    if conclusion.has_failed() || !is_complete { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
