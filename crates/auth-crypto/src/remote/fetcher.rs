//! One fetch at a time.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::remote::key_set::KeySet;
use crate::remote::known::{Known, Need};
use crate::remote::{KeySetError, KeySource, RemoteOptions};

/// Has the keys of another issuer, and fetches them when it is time.
///
/// A fetch is a task of its own: whoever asked for it may hang up, and it still serves all others.
pub(super) struct Fetcher {
    source: Box<dyn KeySource>,
    options: RemoteOptions,
    /// Never locked across an await.
    known: RwLock<Known>,
    /// Locked as long as a fetch is under way.
    flight: Arc<Mutex<()>>,
}

impl Fetcher {
    pub(super) fn new(source: Box<dyn KeySource>, options: RemoteOptions) -> Self {
        Self { source, options, known: RwLock::default(), flight: Arc::default() }
    }

    /// The keys to judge a token by that names `kid`. Waits for a fetch only if those at hand will not do.
    pub(super) async fn keys(self: &Arc<Self>, kid: Option<&str>) -> Result<Arc<KeySet>, KeySetError> {
        let seen = self.known();
        match seen.need(kid, Instant::now(), &self.options) {
            Need::Nothing => {}
            Need::Refresh => self.refresh(),
            Need::Fetch => self.fetch_for(kid, seen.finished).await,
        }
        self.known().into_keys(Instant::now(), &self.options)
    }

    /// Starts a fetch that nobody waits for, unless one is under way or it is too soon.
    fn refresh(self: &Arc<Self>) {
        if let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
            && self.known().may_fetch(Instant::now(), &self.options)
        {
            self.start(flight);
        }
    }

    /// Waits for the fetch that is under way, if any, else makes one if it is not too soon. `finished` is how many
    /// there had been when the need was seen.
    async fn fetch_for(self: &Arc<Self>, kid: Option<&str>, finished: u64) {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let (known, now) = (self.known(), Instant::now());
        let is_needed = known.finished == finished && known.need(kid, now, &self.options) == Need::Fetch;
        if is_needed && known.may_fetch(now, &self.options) {
            // It is remembered as interrupted unless it comes to its end.
            let _end = self.start(flight).await;
        }
    }

    fn start(self: &Arc<Self>, flight: OwnedMutexGuard<()>) -> JoinHandle<()> {
        self.change(|known| known.begin(Instant::now()));
        let fetcher = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = fetcher.fetch().await;
            let failure = outcome.as_ref().err().cloned();
            fetcher.change(|known| known.finish(outcome, Instant::now()));
            drop(flight);
            if let (Some(report), Some(failure)) = (fetcher.options.on_failure, failure) {
                report(&failure);
            }
        })
    }

    async fn fetch(&self) -> Result<KeySet, KeySetError> {
        let limit = self.options.fetch_timeout;
        let answer = timeout(limit, self.source.fetch()).await.map_err(|_| KeySetError::TimedOut(limit))?;
        KeySet::parse(&answer.map_err(|error| KeySetError::Fetch(error.into()))?)
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.options).field("known", &self.known()).finish_non_exhaustive()
    }
}
