//! The registry of the cases, which register themselves.
//!
//! A case is a function with the attribute `#[apply(token_case!)]`, `#[apply(account_case!)]` or
//! `#[apply(feed_case!)]`. Without the attribute it is unused, and the compiler warns about it.

use std::pin::Pin;
use std::sync::Arc;

use auth_accounts::ports::Store;

use super::{AccountHost, FeedFixture, TokenHost};

/// A running case. It panics if the store breaks the contract.
pub type CaseRun = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A case of the token half of the storage contract, for the ports that make up a
/// [`TokenStore`](auth_core::ports::TokenStore).
#[derive(Debug)]
pub struct TokenCase {
    /// The rule that the case tests, as a sentence in snake_case. Names are unique, and a name never changes its
    /// meaning, so that an adapter can list exceptions.
    pub name: &'static str,
    /// Runs the case on a fresh, empty store. Needs a Tokio runtime with more than one thread; on a single thread,
    /// concurrent calls would not overlap.
    pub run: fn(Arc<dyn TokenHost>) -> CaseRun,
    pub(super) module: &'static str,
}

/// A case of the account half of the storage contract, for the other ports of a [`Store`] and their effects on tokens.
#[derive(Debug)]
pub struct AccountCase {
    /// The rule that the case tests, as for a [`TokenCase`].
    pub name: &'static str,
    /// Runs the case on a fresh, empty store. Needs a Tokio runtime with more than one thread.
    pub run: fn(Arc<dyn Store>) -> CaseRun,
    pub(super) module: &'static str,
}

/// A case of either half of the storage contract, for a store that implements all ports.
#[derive(Clone, Copy, Debug)]
pub struct StorageCase {
    /// The rule that the case tests, as for a [`TokenCase`].
    pub name: &'static str,
    half: Half,
}

#[derive(Clone, Copy, Debug)]
enum Half {
    Tokens(&'static TokenCase),
    Accounts(&'static AccountCase),
}

/// A case of the contract of invalidation feeds.
#[derive(Debug)]
pub struct FeedCase {
    /// The rule that the case tests, as a sentence in snake_case. Names are unique, and a name never changes its
    /// meaning, so that an adapter can list exceptions.
    pub name: &'static str,
    /// Runs the case on a fresh, empty store and its feeds. Needs a Tokio runtime with more than one thread.
    pub run: fn(FeedFixture) -> CaseRun,
    pub(super) module: &'static str,
}

inventory::collect!(TokenCase);
inventory::collect!(AccountCase);
inventory::collect!(FeedCase);

impl TokenCase {
    /// The topic of the case, such as `session_races`: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        topic(self.module)
    }
}

impl AccountCase {
    /// The topic of the case, such as `passwords`: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        topic(self.module)
    }
}

impl StorageCase {
    /// The topic of the case: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        match self.half {
            Half::Tokens(case) => case.topic(),
            Half::Accounts(case) => case.topic(),
        }
    }

    /// Runs the case on a fresh, empty store; a case of the token half runs on an [`AccountHost`]. Needs a Tokio
    /// runtime with more than one thread.
    pub fn run(&self, store: Arc<dyn Store>) -> CaseRun {
        match self.half {
            Half::Tokens(case) => (case.run)(Arc::new(AccountHost::new(store))),
            Half::Accounts(case) => (case.run)(store),
        }
    }
}

impl FeedCase {
    /// The topic of the case, such as `feeds`: the name of the file that contains it.
    pub fn topic(&self) -> &'static str {
        topic(self.module)
    }
}

fn topic(module: &'static str) -> &'static str {
    module.rsplit("::").next().unwrap_or(module)
}

/// Registers a function as a [`TokenCase`]. The function is visible to the other modules, such as the tests of broken
/// stores.
macro_rules! token_case {
    ($(#[$meta:meta])* async fn $name:ident($host:ident: $type:ty) $body:block) => {
        $(#[$meta])*
        pub(super) async fn $name($host: $type) $body

        inventory::submit! {
            $crate::cases::TokenCase {
                name: stringify!($name),
                run: |host| Box::pin($name(host)),
                module: module_path!(),
            }
        }
    };
}

/// Registers a function as an [`AccountCase`], like `token_case!`.
macro_rules! account_case {
    ($(#[$meta:meta])* async fn $name:ident($store:ident: $type:ty) $body:block) => {
        $(#[$meta])*
        pub(super) async fn $name($store: $type) $body

        inventory::submit! {
            $crate::cases::AccountCase {
                name: stringify!($name),
                run: |store| Box::pin($name(store)),
                module: module_path!(),
            }
        }
    };
}

/// Registers a function as a [`FeedCase`], like `token_case!`.
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

/// Every case of the token half of the storage contract, sorted by topic and name.
///
/// ```
/// use std::sync::Arc;
/// use auth_conformance::{AccountHost, MemoryStore, token_cases};
///
/// #[tokio::main(flavor = "multi_thread", worker_threads = 4)]
/// async fn main() {
///     for case in token_cases().into_iter().filter(|case| case.topic() == "blacklist") {
///         (case.run)(Arc::new(AccountHost::new(Arc::new(MemoryStore::default())))).await;
///     }
/// }
/// ```
///
/// # Panics
/// If no case is registered: an adapter would pass an empty contract.
pub fn token_cases() -> Vec<&'static TokenCase> {
    let mut cases: Vec<_> = inventory::iter::<TokenCase>.into_iter().collect();
    assert!(!cases.is_empty(), "no case is registered; the linker may have dropped them");
    cases.sort_by_key(|case| (case.topic(), case.name));
    cases
}

/// Every case of the account half of the storage contract, sorted by topic and name.
///
/// # Panics
/// If no case is registered.
pub fn account_cases() -> Vec<&'static AccountCase> {
    let mut cases: Vec<_> = inventory::iter::<AccountCase>.into_iter().collect();
    assert!(!cases.is_empty(), "no case is registered; the linker may have dropped them");
    cases.sort_by_key(|case| (case.topic(), case.name));
    cases
}

/// Every case of both halves of the storage contract, sorted by topic and name.
///
/// ```
/// use std::sync::Arc;
/// use auth_conformance::{MemoryStore, storage_cases};
///
/// #[tokio::main(flavor = "multi_thread", worker_threads = 4)]
/// async fn main() {
///     for case in storage_cases().into_iter().filter(|case| case.topic() == "second_factors") {
///         case.run(Arc::new(MemoryStore::default())).await;
///     }
/// }
/// ```
///
/// # Panics
/// If no case is registered for one of the halves.
pub fn storage_cases() -> Vec<StorageCase> {
    let tokens = token_cases().into_iter().map(|case| StorageCase { name: case.name, half: Half::Tokens(case) });
    let accounts = account_cases().into_iter().map(|case| StorageCase { name: case.name, half: Half::Accounts(case) });
    let mut cases: Vec<_> = tokens.chain(accounts).collect();
    cases.sort_by_key(|case| (case.topic(), case.name));
    cases
}

/// Every case of the contract of invalidation feeds, sorted by topic and name.
///
/// # Panics
/// If no case is registered.
pub fn feed_cases() -> Vec<&'static FeedCase> {
    let mut cases: Vec<_> = inventory::iter::<FeedCase>.into_iter().collect();
    assert!(!cases.is_empty(), "no case is registered; the linker may have dropped them");
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
            assert!(names.insert(name), "two cases are named {name}; one is in {topic}");
        }
    }

    /// Every case in a file of this directory must be compiled and linked.
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
