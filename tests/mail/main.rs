//! Accounts by mail, over HTTP and SMTP: a real server, a real mail server on loopback, and people who read their mail.
//!
//! Nothing here sleeps to let something happen: whatever lies outside is waited for until it is so, within bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod delivery;
mod guessing;
mod hostile;
mod limits;
mod notices;
mod passwords;
mod postbox;
mod reset;
mod second_factors;
mod stage;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let topics = [
        addresses::trials,
        delivery::trials,
        guessing::trials,
        hostile::trials,
        limits::trials,
        notices::trials,
        passwords::trials,
        reset::trials,
        second_factors::trials,
    ];
    let trials = topics.into_iter().flat_map(|trials| trials()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
