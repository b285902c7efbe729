//! The in-memory store passes the contract.

use std::process::ExitCode;
use std::sync::Arc;

use auth_conformance::{FeedFixture, MemoryStore, feed_contract, run_trials, storage_contract};

fn feed_fixture() -> FeedFixture {
    let store = Arc::new(MemoryStore::default());
    let feeds = [Box::new(store.changes()) as _, Box::new(store.changes()) as _];
    FeedFixture { other: store.clone(), store, feeds }
}

fn main() -> ExitCode {
    let mut trials = storage_contract!(memory, MemoryStore::default());
    trials.extend(feed_contract!(memory_feeds, feed_fixture()));
    run_trials(trials)
}
