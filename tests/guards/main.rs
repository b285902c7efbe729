//! Guards over the wire, at the example `blog`: hostile headers, what others change while it runs, databases that are away,
//! and keys of another issuer.
//!
//! Nothing here sleeps to let something happen: whatever lies outside is asked for until it is so, within bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

#[path = "../hostile/judge.rs"]
#[allow(dead_code, reason = "each test target uses its part of this module")]
mod judge;
#[path = "../support/mod.rs"]
mod support;
#[path = "../hostile/wire.rs"]
#[allow(dead_code, reason = "each test target uses its part of this module")]
mod wire;

mod application;
mod headers;
mod issuer;
mod jwks;
mod obedience;
mod outage;
mod paths;
mod proxy;
mod stage;
mod steady_state;

use libtest_mimic::Arguments;

fn main() {
    let arguments = Arguments::from_args();
    let topics = [
        application::trials,
        headers::trials,
        jwks::trials,
        obedience::trials,
        outage::trials,
        paths::trials,
        steady_state::trials,
    ];
    let trials = topics.into_iter().flat_map(|trials| trials()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
