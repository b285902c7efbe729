//! The contract finds out which feed breaks it: the reference with one defect each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{FeedFixture, MemoryFeed, MemoryStore, feed_case, session_id};
use auth_core::StoreError;
use auth_core::account::UserId;
use auth_core::ports::{Change, ChangeFeed};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

/// What is wrong with a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    BeginsWithoutMissed,
    AlwaysMisses,
    WaitsForNews,
    ForgetsAccounts,
    ForgetsSessions,
    ForgetsAllButOneSession,
    ForgetsEverySecondAnswer,
    SaysTooMuch,
    ReportsTooEarly,
    ReportsInAnyOrder,
    IsLate,
    Fails,
}

/// A feed with a defect.
struct Broken {
    inner: MemoryFeed,
    defect: Defect,
    answers: usize,
    late: Vec<Change>,
}

#[async_trait]
impl ChangeFeed for Broken {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        self.answers += 1;
        let mut changes = self.inner.next().await?;
        match self.defect {
            _ if self.answers == 1 && self.defect != Defect::BeginsWithoutMissed => {}
            Defect::BeginsWithoutMissed => changes.retain(|change| *change != Change::Missed),
            Defect::AlwaysMisses => changes.insert(0, Change::Missed),
            Defect::WaitsForNews => {
                while changes.is_empty() {
                    changes = self.inner.next().await?;
                }
            }
            Defect::ForgetsAccounts => changes.retain(|change| !matches!(change, Change::AccountChanged(_))),
            Defect::ForgetsSessions => changes.retain(|change| !matches!(change, Change::SessionEnded(_))),
            Defect::ForgetsAllButOneSession => {
                let is_end = |change: &Change| matches!(change, Change::SessionEnded(_));
                let last = changes.iter().rposition(is_end);
                let mut position = 0..;
                changes.retain(|change| (position.next() == last) | !is_end(change));
            }
            Defect::ForgetsEverySecondAnswer if self.answers.is_multiple_of(2) => changes.clear(),
            Defect::SaysTooMuch => changes.insert(0, Change::AccountChanged(UserId::new(2))),
            Defect::ReportsTooEarly => {
                let next =
                    |number| [Change::SessionEnded(session_id(number + 1)), Change::SessionEnded(session_id(number))];
                let number = (0..100).find(|number| changes.contains(&Change::SessionEnded(session_id(*number))));
                changes = number.map_or(changes, |number| next(number).to_vec());
            }
            Defect::ReportsInAnyOrder => {
                let end = changes.len().saturating_sub(1);
                changes[..end].reverse();
            }
            Defect::IsLate => std::mem::swap(&mut changes, &mut self.late),
            Defect::Fails => return Err(StoreError::unavailable("no")),
            _ => {}
        }
        Ok(changes)
    }
}

async fn passes(defect: Defect, case: &str) -> bool {
    let store = Arc::new(MemoryStore::default());
    let broken = || Box::new(Broken { inner: store.changes(), defect, answers: 0, late: Vec::new() }) as _;
    let fixture = FeedFixture { feeds: [broken(), broken()], other: store.clone(), store: store.clone() };
    let run = (feed_case(case).run)(fixture);
    // On this thread, so that what its panic prints is shown only if the test fails. Who waits for ever fails as well.
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
    a_beginning_without_missed: BeginsWithoutMissed
        fails [a_feed_begins_with_missed_and_says_it_once]
        passes []
    a_feed_that_always_misses: AlwaysMisses
        fails [a_feed_begins_with_missed_and_says_it_once, each_change_of_an_account_is_reported,
            silence_is_answered_within_a_second]
        passes [what_happens_while_nobody_asks_is_reported]
    a_feed_that_waits_for_news: WaitsForNews
        fails [silence_is_answered_within_a_second]
        passes [a_feed_begins_with_missed_and_says_it_once, the_end_of_a_session_is_reported_once]
    accounts_that_are_not_reported: ForgetsAccounts
        fails [each_change_of_an_account_is_reported, a_deletion_is_reported,
            the_end_of_all_sessions_is_reported_with_its_account, what_another_process_does_is_reported,
            what_changes_nothing_is_not_reported]
        passes [the_end_of_a_session_is_reported_once, what_is_reported_can_be_read]
    sessions_that_are_not_reported: ForgetsSessions
        fails [the_end_of_a_session_is_reported_once]
        passes []
    ends_that_hide_others: ForgetsAllButOneSession
        fails [a_password_change_is_reported_with_its_sessions, the_end_of_all_sessions_is_reported_with_its_account,
            the_end_of_a_session_is_reported_once]
        passes [each_change_of_an_account_is_reported]
    answers_that_get_lost: ForgetsEverySecondAnswer
        fails [what_many_do_at_once_is_reported, an_answer_leaves_no_older_change_out]
        passes []
    reports_of_nothing: SaysTooMuch
        fails [what_changes_nothing_is_not_reported, logins_and_rotations_are_not_reported,
            silence_is_answered_within_a_second]
        passes []
    reports_before_the_commit: ReportsTooEarly
        fails [what_is_reported_can_be_read]
        passes [each_change_of_an_account_is_reported]
    reports_in_any_order: ReportsInAnyOrder
        fails [changes_are_reported_in_their_order, a_deletion_is_reported]
        passes [a_password_change_is_reported_with_its_sessions]
    late_reports: IsLate
        fails [an_answer_leaves_no_older_change_out]
        passes [changes_are_reported_in_their_order, the_end_of_a_session_is_reported_once]
    failures: Fails
        fails [a_feed_begins_with_missed_and_says_it_once, what_happens_while_nobody_asks_is_reported]
        passes []
}
