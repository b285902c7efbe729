//! The cases of the contract. Each one tests a rule of the ports: it takes a fresh, empty store, and panics if the
//! store breaks the rule. Those of the token half know a [`TokenHost`] and no port of accounts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a case that fails must panic")]

#[macro_use]
mod registry;

mod account_fixture;
mod account_host;
mod account_races;
mod accounts;
mod adoption;
mod attempt_races;
mod attempts;
mod blacklist;
mod changes;
mod code_races;
mod codes;
mod concurrency;
mod contacts;
mod emails;
mod end_of_all_races;
mod feed_fixture;
mod feeds;
mod feeds_of_proofs;
mod fixture;
mod groups;
mod imported_usernames;
mod mail_retries;
mod outbox;
mod outbox_races;
mod password_races;
mod passwords;
mod redeeming;
mod second_factors;
mod security_stamps;
mod session_races;
mod sessions;
mod sessions_of_accounts;
mod starting;
mod subjects;
mod token_fixture;
mod token_host;
mod user_ids;

#[cfg(test)]
mod broken_feeds;
#[cfg(test)]
mod broken_stores;

pub use account_host::AccountHost;
pub use feed_fixture::FeedFixture;
pub use registry::{
    AccountCase, CaseRun, FeedCase, StorageCase, TokenCase, account_cases, feed_cases, storage_cases, token_cases,
};
pub use token_host::TokenHost;
