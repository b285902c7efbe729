//! Tests of the rules through the services, with a storage in memory. One executable has all of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails if its fixture cannot be set up")]

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
