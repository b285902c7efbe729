//! The contract that every storage of `auth-core` and `auth-accounts` must keep, as tests; and test doubles for everything
//! else.
//!
//! A storage adapter is correct if a fresh, empty store of it passes every case of the contract. The contract has two
//! halves:
//!
//! - the token half ([`token_contract!`]) tests the ports that make up a [`TokenStore`](auth_core::ports::TokenStore):
//!   sessions, the blacklist, and the users of tokens. It is for an application with users of its own, too: it needs no
//!   port of `auth-accounts`.
//! - the account half ([`account_contract!`]) tests the other ports of a [`Store`](auth_accounts::ports::Store). It assumes
//!   that the store keeps the token half.
//!
//! A store that implements all ports runs both ([`storage_contract!`]).
//!
//! # How to test a store
//!
//! Declare a test target without the standard harness in `Cargo.toml`:
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
//! `cargo test` then accepts the usual arguments, such as a part of a test name.
//!
//! The ports of tokens read users and never write them, so the token half also takes a way to add, change and delete users,
//! a [`TokenHost`]. Here the store is the in-memory one again; the example `own-store` of this workspace has another:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use auth_accounts::ports::Accounts;
//! use auth_conformance::{MemoryStore, TokenHost, hash_of, new_user, run_trials, token_contract};
//! use auth_core::ports::TokenStore;
//! use auth_core::user::{User, UserId};
//!
//! #[derive(Default)]
//! struct Host(Arc<MemoryStore>);
//!
//! #[async_trait]
//! impl TokenHost for Host {
//!     fn store(&self) -> Arc<dyn TokenStore> {
//!         self.0.clone()
//!     }
//!
//!     async fn add_user(&self, user: &User) -> UserId {
//!         let new = self.0.create(&new_user(&user.username), &hash_of("secret")).await.unwrap().unwrap();
//!         self.0.put_user(User { id: new.id.clone(), ..user.clone() });
//!         new.id
//!     }
//!
//!     async fn update_user(&self, user: &User) {
//!         assert!(self.0.put_user(user.clone()));
//!     }
//!
//!     async fn delete_user(&self, id: &UserId) {
//!         assert!(self.0.delete(id, &Effects::NONE).await.unwrap());
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     run_trials(token_contract!(memory, Host::default()))
//! }
//! ```
//!
//! An adapter that has a change feed adds the tests of [`feed_contract!`]. The tests are [`Trial`](libtest_mimic::Trial)s of
//! [`libtest_mimic`]. An adapter that needs more than an expression for a fresh store, or tests of its own, uses
//! [`token_trials`], [`account_trials`] or [`storage_trials`], or makes its trials from [`token_cases`], [`account_cases`]
//! or [`storage_cases`].
//!
//! # What the contract covers
//!
//! The contract covers only the ports. It does not cover speed, durability after a crash, or anything that no port can
//! create, such as an account with an externally assigned key. All its times lie in 2001, so that a storage that reads a
//! clock of its own finds everything expired.
//!
//! [`MemoryStore`] is the smallest store that passes. A [`TestService`] is all services of `auth-core` and `auth-accounts`
//! over it and the doubles: what a test of the services, or of an application with `auth-core` in it, starts from.

mod cases;
mod doubles;
#[doc(hidden)]
pub mod fixture;
mod memory;
mod service;
mod trials;

pub use cases::{
    AccountCase, AccountHost, CaseRun, FeedCase, FeedFixture, StorageCase, TokenCase, TokenHost, account_cases,
    feed_cases, storage_cases, token_cases,
};
pub use doubles::{
    BEGINNING, FixedClock, PlainHasher, PlainSecret, PlainSigner, RecordedEvents, RecordedMailer, SeededRandomness, at,
    code_id, code_of, email, hash_of, login_email, mac, memory_ports, message_id, new_email, new_request, new_user,
    person_name, session_id, session_of, successor_of, user_of, username,
};
pub use memory::{MemoryFeed, MemoryStore};
pub use service::{TestPolicy, TestService, TestServiceBuilder, access_of, refresh_of};
pub use trials::{account_trials, feed_trials, run_trials, storage_trials, token_trials};

pub use libtest_mimic;
