//! The cases of the contract: each one sentence of the ports, as a test. It takes a fresh, empty store, and panics
//! where the store does not keep its word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a case that fails is to panic")]

mod account_fixture;
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
mod emails;
mod feed_fixture;
mod feeds;
mod feeds_of_proofs;
mod fixture;
mod groups;
mod mail_retries;
mod outbox;
mod outbox_races;
mod password_races;
mod passwords;
mod redeeming;
mod second_factors;
mod session_races;
mod sessions;
mod starting;
mod subjects;

use std::pin::Pin;
use std::sync::Arc;

use auth_core::ports::Store;

pub use feed_fixture::FeedFixture;

/// A case under way. It panics if the store breaks the contract.
pub type CaseRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One sentence of the contract.
pub struct Case {
    /// The sentence, in snake_case. It never changes its meaning, so that an adapter can name exceptions.
    pub name: &'static str,
    /// Tries it on a fresh, empty store. To be run on a Tokio runtime; the races are races on more than one thread
    /// only.
    pub run: fn(Arc<dyn Store>) -> CaseRun,
}

/// Every case there is.
///
/// ```
/// use std::sync::Arc;
/// use auth_conformance::{MemoryStore, storage_cases};
///
/// #[tokio::main(flavor = "multi_thread", worker_threads = 4)]
/// async fn main() {
///     for case in storage_cases() {
///         (case.run)(Arc::new(MemoryStore::default())).await;
///     }
/// }
/// ```
pub fn storage_cases() -> Vec<Case> {
    crate::__storage_cases!(table)
}

/// The case with this name.
///
/// # Panics
/// If there is none: an exception made for a case that does not exist is a mistake.
pub fn storage_case(name: &str) -> Case {
    storage_cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case {name}"))
}

/// One sentence of the contract of feeds.
pub struct FeedCase {
    /// The sentence, in snake_case. It never changes its meaning, so that an adapter can name exceptions.
    pub name: &'static str,
    /// Tries it on a fresh, empty store. To be run on a Tokio runtime with more than one thread.
    pub run: fn(FeedFixture) -> CaseRun,
}

/// Every case for feeds there is.
///
/// ```
/// use std::sync::Arc;
/// use auth_conformance::{FeedFixture, MemoryStore, feed_cases};
///
/// #[tokio::main(flavor = "multi_thread", worker_threads = 4)]
/// async fn main() {
///     for case in feed_cases() {
///         let store = Arc::new(MemoryStore::default());
///         let feeds = [Box::new(store.changes()) as _, Box::new(store.changes()) as _];
///         (case.run)(FeedFixture { other: store.clone(), store, feeds }).await;
///     }
/// }
/// ```
pub fn feed_cases() -> Vec<FeedCase> {
    crate::__feed_cases!(feed_table)
}

/// The case for feeds with this name.
///
/// # Panics
/// If there is none.
pub fn feed_case(name: &str) -> FeedCase {
    feed_cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case {name}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{feed_cases, storage_cases};

    #[test]
    fn every_case_has_its_own_name() {
        let names = storage_cases().into_iter().map(|case| case.name);
        let names: Vec<_> = names.chain(feed_cases().into_iter().map(|case| case.name)).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
