//! Trials built from the cases, for a test target with `harness = false`.

use std::process::ExitCode;
use std::sync::Arc;

use auth_accounts::ports::Store;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Builder;

use crate::{FeedFixture, TokenHost, account_cases, feed_cases, storage_cases, token_cases};

/// One test for each case of the token half of the storage contract, named `prefix::case`. `fresh` returns a fresh, empty
/// store and is called once for each test.
///
/// [`token_contract!`](crate::token_contract) is the short form. Each test runs on a Tokio runtime of its own with four
/// worker threads.
pub fn token_trials<H, F>(prefix: &str, fresh: F) -> Vec<Trial>
where
    H: TokenHost + 'static,
    F: AsyncFn() -> H + Send + Sync + 'static,
{
    let fresh = Arc::new(fresh);
    let trials = token_cases().into_iter().map(|case| {
        let fresh = Arc::clone(&fresh);
        trial(prefix, case.name, async move || (case.run)(Arc::new(fresh().await)).await)
    });
    trials.collect()
}

/// One test for each case of the account half of the storage contract, named `prefix::case`. It assumes that the store
/// passes the token half.
///
/// [`account_contract!`](crate::account_contract) is the short form.
pub fn account_trials<S, F>(prefix: &str, fresh: F) -> Vec<Trial>
where
    S: Store + 'static,
    F: AsyncFn() -> S + Send + Sync + 'static,
{
    let fresh = Arc::new(fresh);
    let trials = account_cases().into_iter().map(|case| {
        let fresh = Arc::clone(&fresh);
        trial(prefix, case.name, async move || (case.run)(Arc::new(fresh().await)).await)
    });
    trials.collect()
}

/// One test for each case of both halves of the storage contract, for a store that implements all ports.
///
/// [`storage_contract!`](crate::storage_contract) is the short form.
///
/// ```
/// use auth_conformance::{MemoryStore, storage_trials};
///
/// let trials = storage_trials("memory", async || MemoryStore::default());
/// assert!(trials.iter().any(|trial| trial.name() == "memory::one_of_many_rotations_succeeds"));
/// assert!(trials.iter().any(|trial| trial.name() == "memory::one_of_many_new_accounts_gets_the_username"));
/// ```
pub fn storage_trials<S, F>(prefix: &str, fresh: F) -> Vec<Trial>
where
    S: Store + 'static,
    F: AsyncFn() -> S + Send + Sync + 'static,
{
    let fresh = Arc::new(fresh);
    let trials = storage_cases().into_iter().map(|case| {
        let fresh = Arc::clone(&fresh);
        trial(prefix, case.name, async move || case.run(Arc::new(fresh().await)).await)
    });
    trials.collect()
}

/// One test for each case of the contract of invalidation feeds, named `prefix::case`. `fresh` returns a fresh, empty
/// store with its feeds and is called once for each test.
///
/// [`feed_contract!`](crate::feed_contract) is the short form. Each test runs on a Tokio runtime of its own with four
/// worker threads.
pub fn feed_trials<F>(prefix: &str, fresh: F) -> Vec<Trial>
where
    F: AsyncFn() -> FeedFixture + Send + Sync + 'static,
{
    let fresh = Arc::new(fresh);
    let trials = feed_cases().into_iter().map(|case| {
        let fresh = Arc::clone(&fresh);
        trial(prefix, case.name, async move || (case.run)(fresh().await).await)
    });
    trials.collect()
}

/// Runs tests like Rust's test harness: with the same command-line arguments and similar output. Returns the exit code
/// of the test program.
pub fn run_trials(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(prefix: &str, name: &str, run: impl AsyncFnOnce() + Send + 'static) -> Trial {
    Trial::test(format!("{prefix}::{name}"), move || {
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
        runtime.block_on(run());
        // Dropping the runtime would wait for blocking tasks, such as a feed that still waits for its database.
        runtime.shutdown_background();
        Ok(())
    })
}

/// One test for each case of the token half of the storage contract. The expression returns a [`TokenHost`] with a
/// fresh, empty store and is evaluated once for each test. It may use `await`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
/// use auth_conformance::{AccountHost, MemoryStore, run_trials, token_contract};
///
/// fn main() -> ExitCode {
///     run_trials(token_contract!(memory, AccountHost::new(Arc::new(MemoryStore::default()))))
/// }
/// ```
#[macro_export]
macro_rules! token_contract {
    ($prefix:ident, $fresh:expr $(,)?) => {
        $crate::token_trials(::std::stringify!($prefix), async || $fresh)
    };
}

/// One test for each case of the account half of the storage contract. The expression returns a fresh, empty store and
/// is evaluated once for each test. It may use `await`. [`storage_contract!`](crate::storage_contract) tests both
/// halves.
///
/// ```
/// use auth_conformance::{MemoryStore, account_contract};
///
/// let trials = account_contract!(memory, MemoryStore::default());
/// assert!(trials.iter().any(|trial| trial.name() == "memory::one_of_many_new_accounts_gets_the_username"));
/// assert!(trials.iter().all(|trial| trial.name() != "memory::one_of_many_rotations_succeeds"));
/// ```
#[macro_export]
macro_rules! account_contract {
    ($prefix:ident, $fresh:expr $(,)?) => {
        $crate::account_trials(::std::stringify!($prefix), async || $fresh)
    };
}

/// One test for each case of both halves of the storage contract. The expression returns a fresh, empty store and is
/// evaluated once for each test. It may use `await`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use auth_conformance::{MemoryStore, run_trials, storage_contract};
///
/// fn main() -> ExitCode {
///     run_trials(storage_contract!(memory, MemoryStore::default()))
/// }
/// ```
///
/// The value is a `Vec` of [`Trial`]s, named `memory::one_of_many_rotations_succeeds` and so on. A case that is added to
/// the contract becomes a new test. Mark tests that cannot run everywhere as ignored:
///
/// ```
/// # use auth_conformance::{MemoryStore, storage_contract};
/// let has_database = std::env::var_os("DATABASE_URL").is_some();
/// let trials = storage_contract!(memory, MemoryStore::default());
/// let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(!has_database));
/// # drop(trials);
/// ```
#[macro_export]
macro_rules! storage_contract {
    ($prefix:ident, $fresh:expr $(,)?) => {
        $crate::storage_trials(::std::stringify!($prefix), async || $fresh)
    };
}

/// One test for each case of the contract of invalidation feeds. The expression returns a [`FeedFixture`] with a fresh,
/// empty store and is evaluated once for each test. It may use `await`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
/// use auth_conformance::{FeedFixture, MemoryStore, feed_contract, run_trials, storage_contract};
///
/// fn fixture() -> FeedFixture {
///     let store = Arc::new(MemoryStore::default());
///     let feeds = [Box::new(store.changes()) as _, Box::new(store.changes()) as _];
///     FeedFixture { other: store.clone(), store, feeds }
/// }
///
/// fn main() -> ExitCode {
///     let mut trials = storage_contract!(memory, MemoryStore::default());
///     trials.extend(feed_contract!(memory_feed, fixture()));
///     run_trials(trials)
/// }
/// ```
#[macro_export]
macro_rules! feed_contract {
    ($prefix:ident, $fresh:expr $(,)?) => {
        $crate::feed_trials(::std::stringify!($prefix), async || $fresh)
    };
}
