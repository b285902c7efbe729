//! The cases find broken feeds: the feed of the in-memory store with one defect each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::{Change, InvalidationFeed};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::{FeedFixture, feeds};
use crate::{MemoryFeed, MemoryStore, session_id};

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
impl InvalidationFeed for Broken {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.inner.next().await?;
        let is_first = std::mem::take(&mut self.is_new);
        let is_end = |change: &Change| matches!(change, Change::SessionEnded(_));
        match self.defect {
            Defect::BeginsWithoutMissed => changes.retain(|change| *change != Change::Gap),
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

async fn passes<F>(defect: Defect, case: impl Fn(FeedFixture) -> F) -> bool
where
    F: Future<Output = ()> + 'static,
{
    let store = Arc::new(MemoryStore::default());
    let broken = || Box::new(Broken { inner: store.changes(), defect, is_new: true, late: Vec::new() }) as _;
    let fixture = FeedFixture { feeds: [broken(), broken()], other: store.clone(), store: store.clone() };
    let run = case(fixture);
    // On this thread, so that the output of its panic is captured. A case that waits for ever fails as well.
    let local = LocalSet::new();
    let outcome = local.run_until(async { timeout(Duration::from_secs(3), spawn_local(run)).await });
    matches!(outcome.await, Ok(Ok(())))
}

macro_rules! found_out {
    ($($test:ident: $defect:ident fails [$($failed:path),+] passes [$($passed:path),*])*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(assert!(!passes(Defect::$defect, $failed).await, stringify!($failed));)+
                $(assert!(passes(Defect::$defect, $passed).await, stringify!($passed));)*
            }
        )*
    };
}

found_out! {
    // Every case reads the first answer, so none passes.
    a_beginning_without_missed: BeginsWithoutMissed
        fails [feeds::a_feed_begins_with_missed_and_says_it_once]
        passes []
    accounts_that_are_not_reported: ForgetsAccounts
        fails [feeds::each_change_of_an_account_is_reported, feeds::a_deletion_is_reported,
            feeds::the_end_of_all_sessions_is_reported_with_its_account, feeds::what_another_process_does_is_reported,
            feeds::what_changes_nothing_is_not_reported]
        passes [feeds::the_end_of_a_session_is_reported_once, feeds::what_is_reported_can_be_read]
    ends_that_hide_others: ForgetsAllButOneSession
        fails [feeds::a_password_change_is_reported_with_its_sessions,
            feeds::the_end_of_all_sessions_is_reported_with_its_account, feeds::the_end_of_a_session_is_reported_once]
        passes [feeds::each_change_of_an_account_is_reported]
    reports_before_the_commit: ReportsTooEarly
        fails [feeds::what_is_reported_can_be_read]
        passes [feeds::each_change_of_an_account_is_reported]
    late_reports: IsLate
        fails [feeds::an_answer_leaves_no_older_change_out]
        passes [feeds::changes_are_reported_in_their_order, feeds::the_end_of_a_session_is_reported_once]
}
