//! The rules of this crate, through its services and over storage in memory: one executable for all tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot arrange its fixture has failed")]

mod adopted_tokens;
mod auth_cache;
mod claims_providers;
mod email_addresses;
mod external_issuers;
mod fixture;
mod login;
mod logout;
mod one_time_codes;
mod outbox;
mod passwords;
mod permission_rules;
mod rate_limits;
mod refresh;
mod second_factors;
mod session_interleavings;
mod simplejwt_settings;
mod sliding_tokens;
mod started_sessions;
mod verification;
