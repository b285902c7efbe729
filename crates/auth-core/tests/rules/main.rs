//! The rules of this crate, through its services and over storage in memory: one executable for all tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot arrange its fixture has failed")]

mod fixture {
    pub(crate) use auth_conformance::fixture::*;
}

mod adopted_tokens;
mod auth_cache;
mod claims_providers;
mod external_issuers;
mod faulty_hosts;
mod logout;
mod permission_rules;
mod refresh;
mod session_interleavings;
mod simplejwt_settings;
mod sliding_tokens;
mod started_sessions;
mod verification;
