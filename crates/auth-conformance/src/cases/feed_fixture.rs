//! A store with two feeds, and what the feeds report.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use auth_accounts::ports::Store;
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed};
use auth_core::token::{RevokeReason, SessionId};
use auth_core::user::User;
use tokio::time::timeout;

use super::fixture::{started, stored};
use crate::at;

/// How long to wait for a change that should be reported within a second, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The fixture of a feed case: a fresh, empty store, as two processes see it.
pub struct FeedFixture {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The same data through other connections, as in another process. If only one process can use the store, the same
    /// store again.
    pub other: Arc<dyn Store>,
    /// A feed of each store.
    pub feeds: [Box<dyn InvalidationFeed>; 2],
}

/// Both feeds after their first result, and the user whose sessions are revoked as markers.
pub(super) struct Followers {
    pub(super) feeds: [Box<dyn InvalidationFeed>; 2],
    marker: User,
    marks: u64,
}

impl FeedFixture {
    /// Reads the first result of both feeds.
    pub(super) async fn begin(self) -> (Arc<dyn Store>, Arc<dyn Store>, Followers) {
        let Self { store, other, mut feeds } = self;
        for feed in &mut feeds {
            assert_eq!(answer(feed).await.first(), Some(&Change::Gap), "the first change of a feed is Gap");
        }
        let marker = stored(&*store, "marker").await;
        (store, other, Followers { feeds, marker, marks: 0 })
    }
}

impl Followers {
    /// What the feeds have reported of the calls so far. Both must report the same, in the same order.
    pub(super) async fn reports(&mut self, store: &dyn Store) -> Vec<Change> {
        let last = Change::SessionEnded(self.mark(store).await);
        let [one, two] = &mut self.feeds;
        let (one, two) = tokio::join!(up_to(one, last.clone()), up_to(two, last));
        assert_eq!(one, two, "the two feeds differ");
        assert!(!one.contains(&Change::Gap), "a feed reported a gap although it was polled");
        one
    }

    /// What the feeds report, as a set, because the changes of one call have no order.
    pub(super) async fn reported(&mut self, store: &dyn Store) -> HashSet<Change> {
        self.reports(store).await.into_iter().collect()
    }

    /// Revokes a session of the marker user.
    async fn mark(&mut self, store: &dyn Store) -> SessionId {
        self.marks += 1;
        let session = started(store, &self.marker.id, 1_000_000 + self.marks).await;
        assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
        session.id
    }
}

/// The changes of the next call.
pub(super) async fn answer(feed: &mut Box<dyn InvalidationFeed>) -> Vec<Change> {
    timeout(TIMEOUT, feed.next()).await.expect("a call of `next` returns within a second").unwrap()
}

/// The changes that are reported before `last`.
pub(super) async fn up_to(feed: &mut Box<dyn InvalidationFeed>, last: Change) -> Vec<Change> {
    let mut reported = Vec::new();
    let all = async {
        while !reported.contains(&last) {
            reported.extend(answer(feed).await);
        }
    };
    timeout(TIMEOUT, all).await.unwrap_or_else(|_| panic!("{last:?} was not reported"));
    let end = reported.iter().position(|change| *change == last);
    reported.truncate(end.unwrap_or_default());
    reported
}
