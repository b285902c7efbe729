//! The contract kit: the tests that every store of `auth-core` and `auth-accounts` must pass, and test doubles for all
//! other ports.
//!
//! A storage adapter is correct if every case of the contract passes on a fresh, empty store. The contract has two
//! halves:
//!
//! - The token half ([`token_contract!`]) tests the ports that make up a [`TokenStore`](auth_core::ports::TokenStore):
//!   sessions, the blacklist, and the users of tokens. It needs no port of `auth-accounts`, so it also suits an
//!   application with its own users.
//! - The account half ([`account_contract!`]) tests the other ports of a [`Store`](auth_accounts::ports::Store). It
//!   assumes that the store passes the token half.
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
//! and let `tests/contract.rs` run one named test for each case. This example tests the in-memory store:
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
//! `cargo test` then accepts the usual arguments, such as part of a test name.
//!
//! The ports of tokens read users and never write them, so the token half also needs a [`TokenHost`], which adds,
//! changes and deletes users. This example uses the in-memory store; the example `own-store` of this workspace
//! implements one for its own tables:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use auth_accounts::ports::Accounts;
//! use auth_conformance::{MemoryStore, TokenHost, hash_of, new_user, run_trials, token_contract};
//! use auth_core::effects::Effects;
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
//! An adapter with an invalidation feed also runs [`feed_contract!`]. The tests are [`Trial`](libtest_mimic::Trial)s of
//! [`libtest_mimic`]. An adapter whose fresh store cannot be created by one expression, or that adds tests of its own,
//! uses [`token_trials`], [`account_trials`] or [`storage_trials`], or builds its trials from [`token_cases`],
//! [`account_cases`] or [`storage_cases`].
//!
//! # What the contract covers
//!
//! The contract covers only the ports. It does not cover speed, durability after a crash, or anything that no port can
//! create, such as an account with an externally assigned key. All its times are in 2001, so a store that reads the
//! system clock finds everything expired.
//!
//! [`MemoryStore`] is the smallest store that passes. A [`TestService`] combines it, the doubles and all services of
//! `auth-core` and `auth-accounts`; use it to test the services, or an application that embeds them.

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
