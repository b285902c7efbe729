//! What guarded routes remember, so that they need not ask the storage: whom they let in a moment ago.
//!
//! Nothing here decides anything. Whoever is not remembered is looked up in the storage; and so is everybody while it
//! is not known what others have changed ([`follow`]). Only good news is remembered: what ends a session or changes an
//! account makes it forgotten, so that the next request asks.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::bounded::within;
use crate::error::StoreError;
use crate::ports::{Change, Clock, InvalidationFeed};
use crate::time::{Seconds, UnixTime};
use crate::token::{SessionId, Subject};
use crate::user::{User, UserId};

/// How long to wait before a feed that failed is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a feed that has to answer within a second is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthCachePolicy {
    /// How long somebody is taken for what they were, if nobody reports a change.
    pub ttl: Seconds,
    /// How many bearers are remembered; the one not seen for longest is forgotten first.
    pub capacity: NonZeroUsize,
    /// What to do while it is not known what has changed.
    pub when_stale: WhenStale,
}

impl Default for AuthCachePolicy {
    /// Ten thousand bearers, for 30 seconds; read while stale.
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
        Self { ttl: Seconds::new(30), capacity: CAPACITY, when_stale: WhenStale::Read }
    }
}

/// What to do on a guarded route while it is not known what has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// Ask the storage, each time.
    #[default]
    Read,
    /// Refuse everybody with [`StoreError::Unavailable`].
    Refuse,
}

/// By what a bearer is remembered: the session of the token, or for tokens of no session whom they name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CacheKey {
    Session(SessionId),
    Subject(Subject),
}

/// What one process remembers. It is forgotten with the process.
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
/// // As long as somebody follows what others change, guarded routes remember whom they let in.
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
    seen: LruCache<CacheKey, CacheEntry>,
    of_user: HashMap<UserId, HashSet<CacheKey>>,
    changes: Changes,
}

#[derive(Debug)]
struct CacheEntry {
    user: User,
    at: UnixTime,
}

/// The latest changes, so that what was read before one of them is not remembered after it.
#[derive(Debug, Default)]
struct Changes {
    count: u64,
    latest: VecDeque<Change>,
}

/// The moment before somebody was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl Changes {
    const KEPT: usize = 1_024;

    fn add(&mut self, change: Change) {
        self.count += 1;
        self.latest.truncate(Self::KEPT - 1);
        self.latest.push_front(change);
    }

    /// Whether one since `mark` concerns this bearer, or may have.
    fn concern(&self, mark: Mark, pass: &CacheKey, user: &UserId) -> bool {
        let since = usize::try_from(self.count - mark.0).unwrap_or(usize::MAX);
        since > self.latest.len()
            || self.latest.iter().take(since).any(|change| match change {
                Change::SessionEnded(id) => *pass == CacheKey::Session(*id),
                Change::AccountChanged(id) => id == user,
                Change::Gap => true,
            })
    }
}

impl AuthCache {
    /// Views that know nobody, and are used by nobody until [`follow`] keeps them up to date.
    pub fn new(policy: AuthCachePolicy) -> Self {
        let state = State {
            is_current: false,
            seen: LruCache::unbounded(), // One with a bound would take all its memory at once.
            of_user: HashMap::new(),
            changes: Changes::default(),
        };
        Self { policy, state: Mutex::new(state) }
    }

    /// What to do while it is not known what has changed; `None` while it is.
    pub fn staleness(&self) -> Option<WhenStale> {
        if self.state().is_current { None } else { Some(self.policy.when_stale) }
    }

    /// Takes note of a change.
    pub fn apply(&self, change: Change) {
        self.state().apply(change);
    }

    /// Who comes with this, if that is known.
    pub(crate) fn find(&self, pass: &CacheKey, now: UnixTime) -> Option<User> {
        let mut state = self.state();
        if !state.is_current {
            return None;
        }
        let seen = state.seen.get(pass)?;
        // Also after a clock was set back.
        (seen.at.distance(now) < self.policy.ttl).then(|| seen.user.clone())
    }

    /// To be taken before somebody is looked up.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.state().changes.count)
    }

    /// Remembers somebody who was looked up after `mark`, unless they changed since.
    pub(crate) fn remember(&self, mark: Mark, pass: CacheKey, user: &User, now: UnixTime) {
        let mut state = self.state();
        if !state.is_current || state.changes.concern(mark, &pass, &user.id) {
            return;
        }
        state.of_user.entry(user.id.clone()).or_default().insert(pass.clone());
        state.seen.put(pass, CacheEntry { user: user.clone(), at: now });
        if state.seen.len() > self.policy.capacity.get()
            && let Some((evicted, seen)) = state.seen.pop_lru()
        {
            state.unlink(&evicted, &seen.user.id);
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
                let pass = CacheKey::Session(*id);
                if let Some(seen) = self.seen.pop(&pass) {
                    self.unlink(&pass, &seen.user.id);
                }
            }
            Change::AccountChanged(id) => {
                for pass in self.of_user.remove(id).unwrap_or_default() {
                    self.seen.pop(&pass);
                }
            }
            Change::Gap => {
                self.seen.clear();
                self.of_user.clear();
            }
        }
        self.changes.add(change);
    }

    fn unlink(&mut self, pass: &CacheKey, user: &UserId) {
        if let Some(passes) = self.of_user.get_mut(user) {
            passes.remove(pass);
            if passes.is_empty() {
                self.of_user.remove(user);
            }
        }
    }
}

/// Keeps views up to date for as long as it runs. While the feed fails, and when this future is dropped, nobody uses
/// them. `report` is told the first of several failures in a row. Never returns.
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
    let _at_the_end = Suspend(auth_cache);
    let mut is_told = false;
    loop {
        let heard = within(clock, PATIENCE, feed.next()).await;
        match heard.unwrap_or_else(|interruption| Err(StoreError::unavailable(interruption))) {
            Ok(changes) => {
                auth_cache.catch_up(changes);
                is_told = false;
            }
            Err(error) => {
                auth_cache.suspend();
                if !is_told {
                    report(&error);
                    is_told = true;
                }
                clock.sleep(PAUSE).await;
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
    fn a_change_concerns_those_it_names_and_whoever_may_have_been_missed() {
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
            assert_eq!(all.concern(mark, &CacheKey::Session(SESSION), &USER), expected, "{changes:?}");
        }
        let mut many = Changes::default();
        let mark = Mark(many.count);
        (0..Changes::KEPT).for_each(|_| many.add(SessionEnded(OTHER)));
        assert!(!many.concern(mark, &CacheKey::Session(SESSION), &USER));
        many.add(SessionEnded(OTHER));
        assert!(many.concern(mark, &CacheKey::Session(SESSION), &USER), "more than are kept");
    }
}
