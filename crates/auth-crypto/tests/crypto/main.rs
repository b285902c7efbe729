//! Tests of keys, signatures, password hashes and sealing through the public API, in one test binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

#[cfg(feature = "sealing")]
mod application_secret;
mod fixture;
mod json_web_keys;
mod key_ring;
mod keys;
#[cfg(feature = "passwords")]
mod password_hashing;
mod remote_keys;
