//! Tests of the feed cases: each case fails for the feeds whose defect it covers. A broken feed is the one of the
//! in-memory store with one defect.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::ports::{Change, InvalidationFeed};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::{FeedFixture, feeds};
use crate::{MemoryFeed, MemoryStore, session_id};

/// The defect of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    StartsWithoutGap,
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
            Defect::StartsWithoutGap => changes.retain(|change| *change != Change::Gap),
            _ if is_first => {}
            Defect::ForgetsAccounts => changes.retain(is_end),
            Defect::ForgetsAllButOneSession => {
                let last = changes.iter().rposition(is_end);
                let mut position = 0..;
                changes.retain(|change| (position.next() == last) | !is_end(change));
            }
            // Before a change, reports the one that follows it.
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
    // On this thread, so that the output of its panic is captured. A case that never ends fails too.
    let local = LocalSet::new();
    let outcome = local.run_until(async { timeout(Duration::from_secs(3), spawn_local(run)).await });
    matches!(outcome.await, Ok(Ok(())))
}

macro_rules! detects {
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

detects! {
    // Every case reads the first result, so none passes.
    detects_a_missing_first_gap: StartsWithoutGap
        fails [feeds::a_feed_starts_with_a_single_gap]
        passes []
    detects_unreported_accounts: ForgetsAccounts
        fails [feeds::reports_each_change_of_an_account, feeds::reports_a_deletion,
            feeds::reports_revoke_all_with_its_account, feeds::reports_changes_by_another_process,
            feeds::does_not_report_no_ops]
        passes [feeds::reports_a_revocation_once, feeds::reports_only_committed_changes]
    detects_dropped_revocations: ForgetsAllButOneSession
        fails [feeds::reports_a_password_change_with_its_sessions,
            feeds::reports_revoke_all_with_its_account, feeds::reports_a_revocation_once]
        passes [feeds::reports_each_change_of_an_account]
    detects_uncommitted_reports: ReportsTooEarly
        fails [feeds::reports_only_committed_changes]
        passes [feeds::reports_each_change_of_an_account]
    detects_late_reports: IsLate
        fails [feeds::a_call_returns_every_earlier_change]
        passes [feeds::reports_changes_in_order, feeds::reports_a_revocation_once]
}
