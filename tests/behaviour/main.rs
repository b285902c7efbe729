//! What a running server does under races, crashes, outages and stop signals, and what it logs.
//!
//! Every case runs on both databases, with a server process of its own. Nothing here sleeps to let something happen:
//! requests start together, kills come after a count, and whatever lies outside is waited for, within bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod ledger;
mod lifecycle;
mod lock;
mod logs;
mod outage;
mod races;
mod refused_starts;
mod stage;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let topics =
        [crash::trials, lifecycle::trials, logs::trials, outage::trials, races::trials, refused_starts::trials];
    let trials = topics.into_iter().flat_map(|trials| trials()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
