//! Tests of the rules, through the services and with storage in memory. One executable for all tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot arrange its fixture has failed")]

mod fixture {
    pub(crate) use auth_conformance::fixture::*;
}

mod committed_events;
mod contacts;
mod email_addresses;
mod login;
mod one_time_codes;
mod outbox;
mod passwords;
mod rate_limits;
mod second_factors;
