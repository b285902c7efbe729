//! Fetching the JWK set, one fetch at a time.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::remote::cache::{KeyCache, Need};
use crate::remote::key_set::KeySet;
use crate::remote::{KeySetError, KeySource, RemoteOptions};

/// Caches the keys of another issuer and fetches them when needed.
///
/// Each fetch is a separate task: it continues for the other callers if the one that started it is cancelled.
pub(super) struct Fetcher {
    source: Box<dyn KeySource>,
    options: RemoteOptions,
    /// Never locked across an await point.
    cache: RwLock<KeyCache>,
    /// Locked while a fetch is in flight.
    in_flight: Arc<Mutex<()>>,
}

impl Fetcher {
    pub(super) fn new(source: Box<dyn KeySource>, options: RemoteOptions) -> Self {
        Self { source, options, cache: RwLock::default(), in_flight: Arc::default() }
    }

    /// Returns the keys to verify a token with, whose key ID is `kid` unless `kid` is `None`. Waits for a fetch only if
    /// the cached keys are expired or do not include `kid`.
    ///
    /// # Errors
    /// If there are no usable keys, even after the fetch.
    pub(super) async fn keys(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, KeySetError> {
        let cache = self.cache();
        match cache.need(kid, Instant::now(), &self.options) {
            Need::Nothing => {}
            Need::Refresh => self.refresh(),
            Need::Fetch => self.fetch_for(kid, cache.finished_fetches).await,
        }
        self.cache().into_keys(Instant::now(), &self.options)
    }

    /// Starts a fetch in the background, unless one is in flight or `min_interval` does not allow it.
    fn refresh(self: &Arc<Self>) {
        if let Ok(guard) = Arc::clone(&self.in_flight).try_lock_owned()
            && self.cache().may_fetch(Instant::now(), &self.options)
        {
            self.start(guard);
        }
    }

    /// Waits for the fetch in flight, if any. Otherwise fetches, if `min_interval` allows it. `finished_fetches` is
    /// their number when the caller read the cache: if it has grown since, the caller uses that result.
    async fn fetch_for(self: &Arc<Self>, kid: Option<&str>, finished_fetches: u64) {
        let guard = Arc::clone(&self.in_flight).lock_owned().await;
        let (cache, now) = (self.cache(), Instant::now());
        let is_needed =
            cache.finished_fetches == finished_fetches && cache.need(kid, now, &self.options) == Need::Fetch;
        if is_needed && cache.may_fetch(now, &self.options) {
            // A panic needs no handling here: the cache already records the fetch as interrupted.
            let _ = self.start(guard).await;
        }
    }

    /// Spawns the task that fetches. `guard` is held until the result is in the cache.
    fn start(self: &Arc<Self>, guard: OwnedMutexGuard<()>) -> JoinHandle<()> {
        self.update(|cache| cache.begin_fetch(Instant::now()));
        let fetcher = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = fetcher.fetch().await;
            let failure = outcome.as_ref().err().cloned();
            fetcher.update(|cache| cache.finish_fetch(outcome, Instant::now()));
            drop(guard);
            if let (Some(report), Some(failure)) = (fetcher.options.on_failure, failure) {
                report(&failure);
            }
        })
    }

    async fn fetch(&self) -> Result<KeySet, KeySetError> {
        let limit = self.options.fetch_timeout;
        let response = timeout(limit, self.source.fetch()).await.map_err(|_| KeySetError::TimedOut(limit))?;
        KeySet::parse(&response.map_err(|error| KeySetError::Fetch(error.into()))?)
    }

    fn cache(&self) -> KeyCache {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, update: impl FnOnce(&mut KeyCache)) {
        update(&mut self.cache.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.options).field("cache", &self.cache()).finish_non_exhaustive()
    }
}
