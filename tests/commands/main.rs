//! The command line: what each command prints, its exit code, and its effect on a server that is running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod aliases;
mod configuration;
mod database;
mod desk;
mod health;
mod keys;
mod outbox;
mod simplejwt;
mod superusers;
mod usage;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let topics = [
        accounts::trials(),
        aliases::trials(),
        configuration::trials(),
        database::trials(),
        health::trials(),
        keys::trials(),
        outbox::trials(),
        simplejwt::trials(),
        superusers::trials(),
        usage::trials(),
    ];
    libtest_mimic::run(&arguments, topics.into_iter().flatten().collect()).exit();
}
