//! The in-memory store must pass its own contract.

use std::sync::Arc;

use auth_conformance::{FeedFixture, MemoryStore, feed_contract, storage_contract};

storage_contract!(memory, MemoryStore::default());

fn fixture() -> FeedFixture {
    let store = Arc::new(MemoryStore::default());
    let feeds = [Box::new(store.changes()) as _, Box::new(store.changes()) as _];
    FeedFixture { other: store.clone(), store, feeds }
}

feed_contract!(memory_feeds, fixture());
