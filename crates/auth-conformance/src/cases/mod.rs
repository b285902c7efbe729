//! The cases of the contract. Each one tests a rule of the ports: it takes a fresh, empty store, and panics if the
//! store breaks the rule. The cases of the token half use a [`TokenHost`] and no port of `auth-accounts`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing case must panic")]

#[macro_use]
mod registry;

mod account_fixture;
mod account_host;
mod account_races;
mod account_sessions;
mod accounts;
mod adoption;
mod attempt_races;
mod attempts;
mod blacklist;
mod changes;
mod code_races;
mod code_redemption;
mod codes;
mod concurrency;
mod contacts;
mod email_retries;
mod emails;
mod feed_fixture;
mod feeds;
mod fixture;
mod groups;
mod imported_usernames;
mod outbox;
mod outbox_races;
mod password_races;
mod passwords;
mod revocation_races;
mod second_factors;
mod security_stamps;
mod session_races;
mod session_starts;
mod sessions;
mod subjects;
mod token_fixture;
mod token_host;
mod user_ids;
mod verification_feeds;

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
