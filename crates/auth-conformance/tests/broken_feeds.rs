//! The contract finds broken feeds: the feed of the in-memory store with one defect each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{FeedFixture, MemoryFeed, MemoryStore, feed_case, session_id};
use auth_core::StoreError;
use auth_core::ports::{Change, ChangeFeed};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

/// What is wrong with a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    BeginsWithoutMissed,
    ForgetsAccounts,
    ForgetsAllButOneSession,
    ReportsTooEarly,
    IsLate,
}

/// A feed with a defect.
struct Broken {
    inner: MemoryFeed,
    defect: Defect,
    is_new: bool,
    late: Vec<Change>,
}

#[async_trait]
impl ChangeFeed for Broken {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.inner.next().await?;
        let is_first = std::mem::take(&mut self.is_new);
        let is_end = |change: &Change| matches!(change, Change::SessionEnded(_));
        match self.defect {
            Defect::BeginsWithoutMissed => changes.retain(|change| *change != Change::Missed),
            _ if is_first => {}
            Defect::ForgetsAccounts => changes.retain(is_end),
            Defect::ForgetsAllButOneSession => {
                let last = changes.iter().rposition(is_end);
                let mut position = 0..;
                changes.retain(|change| (position.next() == last) | !is_end(change));
            }
            // In place of a change, reports the one that is made next.
            Defect::ReportsTooEarly => {
                let ended = |number| Change::SessionEnded(session_id(number));
                if let Some(number) = (0..100).find(|number| changes.contains(&ended(*number))) {
                    changes = vec![ended(number + 1), ended(number)];
                }
            }
            Defect::IsLate => std::mem::swap(&mut changes, &mut self.late),
        }
        Ok(changes)
    }
}

async fn passes(defect: Defect, case: &str) -> bool {
    let store = Arc::new(MemoryStore::default());
    let broken = || Box::new(Broken { inner: store.changes(), defect, is_new: true, late: Vec::new() }) as _;
    let fixture = FeedFixture { feeds: [broken(), broken()], other: store.clone(), store: store.clone() };
    let run = (feed_case(case).run)(fixture);
    // On this thread, so that the output of its panic is captured. A case that waits for ever fails as well.
    let local = LocalSet::new();
    let outcome = local.run_until(async { timeout(Duration::from_secs(3), spawn_local(run)).await });
    matches!(outcome.await, Ok(Ok(())))
}

macro_rules! found_out {
    ($($test:ident: $defect:ident fails [$($failed:ident),+] passes [$($passed:ident),*])*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(assert!(!passes(Defect::$defect, stringify!($failed)).await, stringify!($failed));)+
                $(assert!(passes(Defect::$defect, stringify!($passed)).await, stringify!($passed));)*
            }
        )*
    };
}

found_out! {
    // Every case reads the first answer, so none passes.
    a_beginning_without_missed: BeginsWithoutMissed
        fails [a_feed_begins_with_missed_and_says_it_once]
        passes []
    accounts_that_are_not_reported: ForgetsAccounts
        fails [each_change_of_an_account_is_reported, a_deletion_is_reported,
            the_end_of_all_sessions_is_reported_with_its_account, what_another_process_does_is_reported,
            what_changes_nothing_is_not_reported]
        passes [the_end_of_a_session_is_reported_once, what_is_reported_can_be_read]
    ends_that_hide_others: ForgetsAllButOneSession
        fails [a_password_change_is_reported_with_its_sessions, the_end_of_all_sessions_is_reported_with_its_account,
            the_end_of_a_session_is_reported_once]
        passes [each_change_of_an_account_is_reported]
    reports_before_the_commit: ReportsTooEarly
        fails [what_is_reported_can_be_read]
        passes [each_change_of_an_account_is_reported]
    late_reports: IsLate
        fails [an_answer_leaves_no_older_change_out]
        passes [changes_are_reported_in_their_order, the_end_of_a_session_is_reported_once]
}
