//! What guarded routes remember, so that they need not ask the storage: accounts as they were read a moment ago, and
//! sessions that were ended while their access tokens live.
//!
//! Nothing here decides anything. Whoever is not remembered, or is remembered as ended, is looked up in the storage; and
//! so is everybody while the views are not kept up to date ([`follow`]).

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::account::{User, UserId};
use crate::error::StoreError;
use crate::ports::{Change, ChangeFeed, Clock, Sessions};
use crate::time::{Seconds, UnixTime};
use crate::token::{SessionId, Subject};

/// How long ended sessions are remembered beyond the life of their access tokens: more than a clock is likely to jump
/// back (REL-008).
const GRACE: Seconds = Seconds::new(2 * 60 * 60);
/// How long to wait before a feed that failed is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewPolicy {
    /// How long an account is taken for what it was, if nobody reports a change.
    pub account_ttl: Seconds,
    /// How many accounts are remembered; the one not seen for longest is forgotten first.
    pub account_capacity: NonZeroUsize,
    /// How long the longest-lived token that opens guarded routes lives, leeway included.
    pub token_ttl: Seconds,
    /// What to do while the views are not up to date.
    pub when_stale: WhenStale,
}

/// What to do on a guarded route while the views are not up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// Ask the storage, each time.
    #[default]
    Read,
    /// Refuse everybody with [`StoreError::Unavailable`].
    Refuse,
}

/// The views of one process. Forget everything with it.
#[derive(Debug)]
pub struct GuardViews {
    policy: ViewPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_current: bool,
    /// Counts what was forgotten on purpose, so that an account that was read before is not remembered after.
    forgotten: u64,
    accounts: LruCache<Subject, Seen>,
    /// The accounts among them that are not named by their number.
    imported: HashMap<UserId, Subject>,
    ended: HashMap<SessionId, UnixTime>,
    /// When `ended` has grown to this, old entries are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Seen {
    user: User,
    at: UnixTime,
}

/// The moment before an account was read. See [`GuardViews::remember`].
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl GuardViews {
    const FIRST_SWEEP: usize = 1_024;

    /// Views that know nothing, and are used by nobody until [`follow`] keeps them up to date.
    pub fn new(policy: ViewPolicy) -> Self {
        let state = State {
            is_current: false,
            forgotten: 0,
            accounts: LruCache::new(policy.account_capacity),
            imported: HashMap::new(),
            ended: HashMap::new(),
            sweep_at: Self::FIRST_SWEEP,
        };
        Self { policy, state: Mutex::new(state) }
    }

    /// What to do while they are not up to date; `None` while they are.
    pub fn staleness(&self) -> Option<WhenStale> {
        if self.state().is_current { None } else { Some(self.policy.when_stale) }
    }

    /// The account that tokens name so, unless its session has ended, or nothing certain is remembered of them: then the
    /// storage has to be asked.
    pub fn find(&self, subject: &Subject, session: Option<SessionId>, now: UnixTime) -> Option<User> {
        let mut state = self.state();
        if !state.is_current || session.is_some_and(|id| state.ended.contains_key(&id)) {
            return None;
        }
        let seen = state.accounts.get(subject)?;
        // Also after a clock was set back.
        if seen.at.distance(now) >= self.policy.account_ttl {
            return None;
        }
        Some(seen.user.clone())
    }

    /// To be taken before an account is read.
    pub fn mark(&self) -> Mark {
        Mark(self.state().forgotten)
    }

    /// Remembers an account that was read after `mark`, unless something changed since.
    pub fn remember(&self, mark: Mark, subject: &Subject, user: &User, now: UnixTime) {
        let mut state = self.state();
        if !state.is_current || state.forgotten != mark.0 {
            return;
        }
        if matches!(subject, Subject::External(_)) {
            state.imported.insert(user.id, subject.clone());
        }
        let seen = Seen { user: user.clone(), at: now };
        if let Some((evicted, seen)) = state.accounts.push(subject.clone(), seen)
            && evicted != *subject
        {
            state.imported.remove(&seen.user.id);
        }
    }

    /// Takes note of a change.
    pub fn apply(&self, change: Change, now: UnixTime) {
        let mut state = self.state();
        match change {
            Change::SessionEnded(id) => {
                state.ended.insert(id, now);
                state.sweep(now.minus(self.ended_ttl()));
            }
            Change::AccountChanged(id) => state.forget(id),
            Change::Missed => state.forget_all(),
        }
    }

    fn ended_ttl(&self) -> Seconds {
        Seconds::new(self.policy.token_ttl.get().saturating_add(GRACE.get()))
    }

    fn suspend(&self) {
        let mut state = self.state();
        state.is_current = false;
        state.forget_all();
    }

    /// One step of [`follow`].
    async fn catch_up(
        &self,
        feed: &mut dyn ChangeFeed,
        sessions: &dyn Sessions,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        let changes = feed.next().await?;
        let now = clock.now();
        if changes.contains(&Change::Missed) {
            for id in sessions.ended_since(now.minus(self.ended_ttl())).await? {
                self.apply(Change::SessionEnded(id), now);
            }
        }
        changes.into_iter().for_each(|change| self.apply(change, now));
        self.state().is_current = true;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, id: UserId) {
        self.forgotten += 1;
        self.accounts.pop(&Subject::Id(id));
        if let Some(subject) = self.imported.remove(&id) {
            self.accounts.pop(&subject);
        }
    }

    fn forget_all(&mut self) {
        self.forgotten += 1;
        self.accounts.clear();
        self.imported.clear();
    }

    /// Forgets the sessions that ended before, each time that there are twice as many.
    fn sweep(&mut self, before: UnixTime) {
        if self.ended.len() >= self.sweep_at {
            self.ended.retain(|_, ended_at| *ended_at >= before);
            self.sweep_at = GuardViews::FIRST_SWEEP.max(2 * self.ended.len());
        }
    }
}

/// Keeps views up to date for as long as it runs. While the feed fails, and when this future is dropped, nobody uses them.
/// `report` is told the first failure of a row.
pub async fn follow(
    views: &GuardViews,
    feed: &mut dyn ChangeFeed,
    sessions: &dyn Sessions,
    clock: &dyn Clock,
    report: impl Fn(&StoreError),
) {
    struct Suspend<'a>(&'a GuardViews);
    impl Drop for Suspend<'_> {
        fn drop(&mut self) {
            self.0.suspend();
        }
    }
    let _at_the_end = Suspend(views);
    let mut is_told = false;
    loop {
        match views.catch_up(feed, sessions, clock).await {
            Ok(()) => is_told = false,
            Err(error) => {
                views.suspend();
                if !is_told {
                    report(&error);
                    is_told = true;
                }
                clock.sleep(PAUSE).await;
            }
        }
    }
}
