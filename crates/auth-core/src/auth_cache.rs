//! The auth cache: the callers that guarded routes have accepted, so that they need not read the storage each time.
//!
//! The cache decides nothing. A caller without a cache entry is read from the storage, and so is every caller while the
//! invalidation feed is unavailable ([`follow`]). Only positive results are kept: a change to a session or an account
//! removes its entries, so that the next request reads the storage.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::error::StoreError;
use crate::ports::{Change, Clock, InvalidationFeed};
use crate::time::{Seconds, UnixTime};
use crate::timeout::with_timeout;
use crate::token::{SessionId, Subject};
use crate::user::{User, UserId};

/// How long to wait before a feed that failed is polled again.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// The time limit for one call of a feed, which must answer within one second.
const FEED_TIMEOUT: Duration = Duration::from_secs(2);

/// How many cache entries are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthCachePolicy {
    /// How long an entry is used if no change event invalidates it.
    pub ttl: Seconds,
    /// How many entries are kept; the least recently used one is evicted first.
    pub capacity: NonZeroUsize,
    /// What guarded routes do while the invalidation feed is unavailable.
    pub when_stale: WhenStale,
}

impl Default for AuthCachePolicy {
    /// 10,000 entries, for 30 seconds each; reads the storage while the feed is unavailable.
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
        Self { ttl: Seconds::new(30), capacity: CAPACITY, when_stale: WhenStale::Read }
    }
}

/// What a guarded route does while the invalidation feed is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// Reads the storage for every request.
    #[default]
    Read,
    /// Refuses every request with [`StoreError::Unavailable`].
    Refuse,
}

/// What a cache entry is found by: the session of the token, or the subject of a token without a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CacheKey {
    Session(SessionId),
    Subject(Subject),
}

/// The auth cache of one process, kept in memory.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{FixedClock, MemoryStore, memory_ports};
/// use auth_accounts::service::{AccountPolicy, Ports};
/// use auth_core::service::{TokenPolicy, TokenService};
/// use auth_core::auth_cache::{AuthCache, AuthCachePolicy, follow};
/// use std::sync::Arc;
///
/// let (store, auth_cache) = (Arc::new(MemoryStore::default()), Arc::new(AuthCache::new(AuthCachePolicy::default())));
/// let ports = Ports { store: store.clone(), auth_cache: Some(auth_cache.clone()), ..memory_ports() };
/// let tokens = TokenService::new(ports.for_tokens(&AccountPolicy::default()), TokenPolicy::default());
/// // Guarded routes use the cache for as long as this task runs.
/// let follower = tokio::spawn(async move {
///     follow(&auth_cache, &mut store.changes(), &FixedClock::default(), |error| eprintln!("{error}")).await;
/// });
/// # drop((tokens, follower));
/// # }
/// ```
#[derive(Debug)]
pub struct AuthCache {
    policy: AuthCachePolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_current: bool,
    entries: LruCache<CacheKey, CacheEntry>,
    keys_by_user: HashMap<UserId, HashSet<CacheKey>>,
    changes: Changes,
}

#[derive(Debug)]
struct CacheEntry {
    user: User,
    read_at: UnixTime,
}

/// The latest changes, so that a user read before one of them is not cached after it.
#[derive(Debug, Default)]
struct Changes {
    count: u64,
    latest: VecDeque<Change>,
}

/// How many changes had been applied when a read of the storage began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl Changes {
    const CAPACITY: usize = 1_024;

    fn add(&mut self, change: Change) {
        self.count += 1;
        self.latest.truncate(Self::CAPACITY - 1);
        self.latest.push_front(change);
    }

    /// Whether a change since `mark` affects this entry, or may do so.
    fn affect(&self, mark: Mark, key: &CacheKey, user: &UserId) -> bool {
        let since = usize::try_from(self.count - mark.0).unwrap_or(usize::MAX);
        // Changes that are no longer kept may have affected it.
        since > self.latest.len()
            || self.latest.iter().take(since).any(|change| match change {
                Change::SessionEnded(id) => *key == CacheKey::Session(*id),
                Change::AccountChanged(id) => id == user,
                Change::Gap => true,
            })
    }
}

impl AuthCache {
    /// Creates an empty cache, which is not used until [`follow`] keeps it up to date.
    pub fn new(policy: AuthCachePolicy) -> Self {
        let state = State {
            is_current: false,
            entries: LruCache::unbounded(), // A bounded one would allocate its full capacity at once.
            keys_by_user: HashMap::new(),
            changes: Changes::default(),
        };
        Self { policy, state: Mutex::new(state) }
    }

    /// What guarded routes do now that the feed is unavailable; `None` if the cache is up to date.
    pub fn staleness(&self) -> Option<WhenStale> {
        if self.state().is_current { None } else { Some(self.policy.when_stale) }
    }

    /// Removes the entries that a change affects.
    pub fn apply(&self, change: Change) {
        self.state().apply(change);
    }

    /// The cached user, if there is an entry that has not expired.
    pub(crate) fn find(&self, key: &CacheKey, now: UnixTime) -> Option<User> {
        let mut state = self.state();
        if !state.is_current {
            return None;
        }
        let entry = state.entries.get(key)?;
        // The distance in either direction: the clock may have been set back.
        (entry.read_at.distance(now) < self.policy.ttl).then(|| entry.user.clone())
    }

    /// Must be taken before the user is read from the storage.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.state().changes.count)
    }

    /// Caches a user that was read after `mark`, unless it may have changed since.
    pub(crate) fn insert(&self, mark: Mark, key: CacheKey, user: &User, now: UnixTime) {
        let mut state = self.state();
        if !state.is_current || state.changes.affect(mark, &key, &user.id) {
            return;
        }
        state.keys_by_user.entry(user.id.clone()).or_default().insert(key.clone());
        state.entries.put(key, CacheEntry { user: user.clone(), read_at: now });
        if state.entries.len() > self.policy.capacity.get()
            && let Some((evicted, entry)) = state.entries.pop_lru()
        {
            state.unlink(&evicted, &entry.user.id);
        }
    }

    fn suspend(&self) {
        let mut state = self.state();
        state.is_current = false;
        state.apply(Change::Gap);
    }

    fn catch_up(&self, changes: Vec<Change>) {
        let mut state = self.state();
        changes.into_iter().for_each(|change| state.apply(change));
        state.is_current = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, change: Change) {
        match &change {
            Change::SessionEnded(id) => {
                let key = CacheKey::Session(*id);
                if let Some(entry) = self.entries.pop(&key) {
                    self.unlink(&key, &entry.user.id);
                }
            }
            Change::AccountChanged(id) => {
                for key in self.keys_by_user.remove(id).unwrap_or_default() {
                    self.entries.pop(&key);
                }
            }
            Change::Gap => {
                self.entries.clear();
                self.keys_by_user.clear();
            }
        }
        self.changes.add(change);
    }

    fn unlink(&mut self, key: &CacheKey, user: &UserId) {
        if let Some(keys) = self.keys_by_user.get_mut(user) {
            keys.remove(key);
            if keys.is_empty() {
                self.keys_by_user.remove(user);
            }
        }
    }
}

/// Keeps a cache up to date from an invalidation feed; never returns.
///
/// While the feed fails, and after this future is dropped, the cache is not used. `report` is called with the first of
/// several consecutive errors. A call of the feed that takes longer than two seconds counts as an error.
pub async fn follow(
    auth_cache: &AuthCache,
    feed: &mut dyn InvalidationFeed,
    clock: &dyn Clock,
    report: impl Fn(&StoreError),
) {
    struct Suspend<'a>(&'a AuthCache);
    impl Drop for Suspend<'_> {
        fn drop(&mut self) {
            self.0.suspend();
        }
    }
    let _suspend_on_drop = Suspend(auth_cache);
    let mut is_reported = false;
    loop {
        let outcome = with_timeout(clock, FEED_TIMEOUT, feed.next()).await;
        match outcome.unwrap_or_else(|interruption| Err(StoreError::unavailable(interruption))) {
            Ok(changes) => {
                auth_cache.catch_up(changes);
                is_reported = false;
            }
            Err(error) => {
                auth_cache.suspend();
                if !is_reported {
                    report(&error);
                    is_reported = true;
                }
                clock.sleep(RETRY_DELAY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId::from_bytes([7; 16]);
    const OTHER: SessionId = SessionId::from_bytes([8; 16]);
    const USER: UserId = UserId::new(1);

    #[test]
    fn a_change_affects_the_entries_that_it_names_and_a_gap_affects_all() {
        use Change::{AccountChanged, Gap, SessionEnded};
        for (changes, expected) in [
            (&[][..], false),
            (&[SessionEnded(OTHER), AccountChanged(UserId::new(2))], false),
            (&[SessionEnded(SESSION), SessionEnded(OTHER)], true),
            (&[AccountChanged(USER), SessionEnded(OTHER)], true),
            (&[Gap], true),
        ] {
            let mut all = Changes::default();
            all.add(AccountChanged(USER));
            let mark = Mark(all.count);
            changes.iter().for_each(|change| all.add(change.clone()));
            assert_eq!(all.affect(mark, &CacheKey::Session(SESSION), &USER), expected, "{changes:?}");
        }
        let mut many = Changes::default();
        let mark = Mark(many.count);
        (0..Changes::CAPACITY).for_each(|_| many.add(SessionEnded(OTHER)));
        assert!(!many.affect(mark, &CacheKey::Session(SESSION), &USER));
        many.add(SessionEnded(OTHER));
        assert!(many.affect(mark, &CacheKey::Session(SESSION), &USER), "more changes than are kept");
    }
}
