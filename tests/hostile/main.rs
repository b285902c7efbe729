//! Bad input over the wire: hostile bodies, forged tokens, odd requests; and what the strict default profile promises.
//!
//! A case is named for what it says. Most run on a server that they share (see [`stage`]) with accounts of their own.
//! Whatever a case asks for, every answer has to be a decent one ([`judge::objection`]): no 5xx, JSON, the headers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bodies;
mod claims;
mod credentials;
mod fields;
mod forge;
mod identity;
mod jose;
mod json;
mod judge;
mod keys;
mod kinds;
mod operations;
mod passwords;
mod routes;
mod smuggling;
mod stage;
mod strict;
mod strings;
mod vectors;
mod wire;

use libtest_mimic::Arguments;
use stage::Stages;

fn main() {
    let arguments = Arguments::from_args();
    let stages = Stages::new();
    let topics = [
        answers::trials,
        bodies::trials,
        claims::trials,
        credentials::trials,
        fields::trials,
        identity::trials,
        jose::trials,
        json::trials,
        keys::trials,
        kinds::trials,
        operations::trials,
        passwords::trials,
        routes::trials,
        smuggling::trials,
        strict::trials,
        strings::trials,
        vectors::trials,
    ];
    let trials = topics.into_iter().flat_map(|trials| trials(&stages)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(stages); // Ends the servers, which `exit` would leave behind.
    conclusion.exit();
}
