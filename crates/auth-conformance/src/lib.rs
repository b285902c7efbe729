//! The contract that every storage of `auth-core` must keep, as tests; and doubles for what is not under test.
//!
//! An adapter, also one written elsewhere, is right when a fresh, empty store of it passes every case of
//! [`storage_cases`]. The short way is one named test for each case:
//!
//! ```
//! use auth_conformance::{MemoryStore, storage_contract};
//!
//! storage_contract!(memory, MemoryStore::default());
//! # fn main() {}
//! ```
//!
//! An adapter that has more than one database, or none on some machines, makes its tests from [`storage_cases`].
//!
//! One that has a feed of changes as well passes [`feed_cases`], by [`feed_contract!`] or as above.
//!
//! The suite knows only the ports: it says nothing of speed, of surviving a crash, and of what no port can make, such
//! as an account with a key from elsewhere. All its moments lie in 2001, so that a storage that asks a clock of its
//! own finds everything expired.
//!
//! [`MemoryStore`] is the smallest thing that passes. A [`TestService`] is all services of `auth-core` over it and the
//! doubles: what a test of the services, or of an application with `auth-core` in it, starts from.

mod cases;
mod doubles;
mod macros;
mod memory;
mod service;

pub use cases::{Case, CaseRun, FeedCase, FeedFixture, feed_case, feed_cases, storage_case, storage_cases};
pub use doubles::{
    BEGINNING, FixedClock, PlainHasher, PlainSigner, PlainVault, RecordedEvents, RecordedMailer, SeededRandomness, at,
    code_id, code_of, email, hash_of, mac, mail_id, memory_ports, new_mail, new_request, new_user, person_name,
    session_id, session_of, successor_of, username,
};
pub use memory::{MemoryFeed, MemoryStore};
pub use service::{TestService, TestServiceBuilder, access_of, refresh_of};
