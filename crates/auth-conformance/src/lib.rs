//! The contract that every storage of `auth-core` must keep, as tests; and test doubles for everything else.
//!
//! A storage adapter is correct if a fresh, empty store of it passes every case of the contract. To test your own,
//! declare a test target without the standard harness in `Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "contract"
//! harness = false
//! ```
//!
//! and let `tests/contract.rs` run one named test for each case. With the in-memory store in place of yours:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use auth_conformance::{MemoryStore, run_trials, storage_contract};
//!
//! fn main() -> ExitCode {
//!     run_trials(storage_contract!(memory, MemoryStore::default()))
//! }
//! ```
//!
//! `cargo test` then accepts the usual arguments, such as a part of a test name. An adapter that has a change feed adds
//! the tests of [`feed_contract!`]. The tests are [`Trial`](libtest_mimic::Trial)s of [`libtest_mimic`]. An adapter that
//! needs more than an expression for a fresh store, or tests of its own, uses [`storage_trials`] or makes its trials
//! from [`storage_cases`].
//!
//! The contract covers only the ports. It does not cover speed, durability after a crash, or anything that no port can
//! create, such as an account with an externally assigned key. All its times lie in 2001, so that a storage that reads a
//! clock of its own finds everything expired.
//!
//! [`MemoryStore`] is the smallest store that passes. A [`TestService`] is all services of `auth-core` over it and the
//! doubles: what a test of the services, or of an application with `auth-core` in it, starts from.

mod cases;
mod doubles;
#[doc(hidden)]
pub mod fixture;
mod memory;
mod service;
mod trials;

pub use cases::{CaseRun, FeedCase, FeedFixture, StorageCase, feed_cases, storage_cases};
pub use doubles::{
    BEGINNING, FixedClock, PlainHasher, PlainSigner, PlainVault, RecordedEvents, RecordedMailer, SeededRandomness, at,
    code_id, code_of, email, hash_of, mac, mail_id, memory_ports, new_mail, new_request, new_user, person_name,
    session_id, session_of, successor_of, username,
};
pub use memory::{MemoryFeed, MemoryStore};
pub use service::{TestPolicy, TestService, TestServiceBuilder, access_of, refresh_of};
pub use trials::{feed_trials, run_trials, storage_trials};

pub use libtest_mimic;
