//! Keys, signatures, password hashes and sealing through the public API: one executable for all tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot arrange its fixture has failed")]

#[cfg(feature = "sealing")]
mod application_secret;
mod fixture;
mod json_web_keys;
mod key_ring;
mod keys;
#[cfg(feature = "passwords")]
mod password_hashing;
mod remote_keys;
