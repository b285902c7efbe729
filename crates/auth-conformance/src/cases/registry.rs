//! The cases, which register themselves.
//!
//! A case is a function with the attribute `#[apply(storage_case!)]` or `#[apply(feed_case!)]`. Without the attribute
//! it is never used, and the compiler warns about it.

use std::pin::Pin;
use std::sync::Arc;

use auth_accounts::ports::Store;

use super::FeedFixture;

/// A case in progress. It panics if the store breaks the contract.
pub type CaseRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A case of the storage contract.
#[derive(Debug)]
pub struct StorageCase {
    /// The rule that the case tests, as a sentence in snake_case. Names are unique, and a name never changes its
    /// meaning, so that an adapter can list exceptions.
    pub name: &'static str,
    /// Runs the case on a fresh, empty store. Needs a Tokio runtime with more than one thread: on a single thread, the
    /// races are none.
    pub run: fn(Arc<dyn Store>) -> CaseRun,
    pub(super) module: &'static str,
}

/// A case of the contract of change feeds.
#[derive(Debug)]
pub struct FeedCase {
    /// The rule that the case tests, as a sentence in snake_case. Names are unique, and a name never changes its
    /// meaning, so that an adapter can list exceptions.
    pub name: &'static str,
    /// Runs the case on a fresh, empty store and its feeds. Needs a Tokio runtime with more than one thread.
    pub run: fn(FeedFixture) -> CaseRun,
    pub(super) module: &'static str,
}

inventory::collect!(StorageCase);
inventory::collect!(FeedCase);

impl StorageCase {
    /// What the case is about, such as `session_races`: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        topic(self.module)
    }
}

impl FeedCase {
    /// What the case is about, such as `feeds`: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        topic(self.module)
    }
}

fn topic(module: &'static str) -> &'static str {
    module.rsplit("::").next().unwrap_or(module)
}

/// Registers a function as a [`StorageCase`]. The other modules here can name the function: the tests of broken stores
/// do.
macro_rules! storage_case {
    ($(#[$meta:meta])* async fn $name:ident($store:ident: $type:ty) $body:block) => {
        $(#[$meta])*
        pub(super) async fn $name($store: $type) $body

        inventory::submit! {
            $crate::cases::StorageCase {
                name: stringify!($name),
                run: |store| Box::pin($name(store)),
                module: module_path!(),
            }
        }
    };
}

/// Registers a function as a [`FeedCase`], likewise.
macro_rules! feed_case {
    ($(#[$meta:meta])* async fn $name:ident($fixture:ident: $type:ty) $body:block) => {
        $(#[$meta])*
        pub(super) async fn $name($fixture: $type) $body

        inventory::submit! {
            $crate::cases::FeedCase {
                name: stringify!($name),
                run: |fixture| Box::pin($name(fixture)),
                module: module_path!(),
            }
        }
    };
}

/// Every case of the storage contract, sorted by topic and name.
///
/// ```
/// use std::sync::Arc;
/// use auth_conformance::{MemoryStore, storage_cases};
///
/// #[tokio::main(flavor = "multi_thread", worker_threads = 4)]
/// async fn main() {
///     for case in storage_cases().into_iter().filter(|case| case.topic() == "blacklist") {
///         (case.run)(Arc::new(MemoryStore::default())).await;
///     }
/// }
/// ```
///
/// # Panics
/// If there is none, since an adapter would pass a contract without cases.
pub fn storage_cases() -> Vec<&'static StorageCase> {
    let mut cases: Vec<_> = inventory::iter::<StorageCase>.into_iter().collect();
    assert!(!cases.is_empty(), "the linker has dropped the cases of the contract");
    cases.sort_by_key(|case| (case.topic(), case.name));
    cases
}

/// Every case of the contract of change feeds, sorted by topic and name.
///
/// # Panics
/// If there is none.
pub fn feed_cases() -> Vec<&'static FeedCase> {
    let mut cases: Vec<_> = inventory::iter::<FeedCase>.into_iter().collect();
    assert!(!cases.is_empty(), "the linker has dropped the cases of the contract");
    cases.sort_by_key(|case| (case.topic(), case.name));
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};
    use std::fs;
    use std::path::Path;

    use super::{feed_cases, storage_cases};

    /// Topic and name of every case.
    fn registered() -> Vec<(&'static str, &'static str)> {
        let storage = storage_cases().into_iter().map(|case| (case.topic(), case.name));
        storage.chain(feed_cases().into_iter().map(|case| (case.topic(), case.name))).collect()
    }

    #[test]
    fn names_are_unique() {
        let mut names = HashSet::new();
        for (topic, name) in registered() {
            assert!(names.insert(name), "{topic}::{name} is the second case with this name");
        }
    }

    /// Every file beside this one, with the number of cases written in it, must be compiled and linked.
    #[test]
    fn every_case_of_every_file_is_registered() {
        let mut written = BTreeMap::new();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let cases = source.lines().filter(|line| line.starts_with("#[apply(")).count();
                written.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), cases);
            }
        }
        written.retain(|_, cases| *cases > 0);
        let mut counted = BTreeMap::new();
        for (topic, _) in registered() {
            *counted.entry(topic.to_owned()).or_insert(0) += 1;
        }
        assert_eq!(counted, written);
    }
}
