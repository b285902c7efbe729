//! The outbox: how emails are retried, after a failure or after the clock was set back, and pruned.

use std::sync::Arc;

use auth_accounts::mail::{OutboxEntry, RetryPolicy};
use auth_accounts::ports::{Retry, Store};
use auth_core::time::Seconds;
use macro_rules_attribute::apply;

use super::fixture::{outbox, queued};
use super::outbox::{claimed, enqueued};
use crate::{at, message_id};

/// Enqueues these emails and gives them up, one after the other.
async fn failed(store: &dyn Store, numbers: impl IntoIterator<Item = (u64, i64)>) {
    for (number, failed_at) in numbers {
        enqueued(store, [number]).await;
        assert_eq!(claimed(store, 0).await, Some((number, 1)));
        assert!(store.give_up(message_id(number), 1, at(failed_at), "unknown").await.unwrap());
    }
}

async fn entry(store: &dyn Store, number: u64) -> OutboxEntry {
    outbox(store).await.into_iter().find(|entry| entry.id == message_id(number)).expect("it is in the outbox")
}

#[apply(account_case!)]
async fn all_mails_that_were_given_up_are_tried_again(store: Arc<dyn Store>) {
    failed(&*store, [(1, 10), (2, 20)]).await;
    enqueued(&*store, [3]).await;
    assert_eq!(claimed(&*store, 0).await, Some((3, 1)));
    assert!(store.postpone(message_id(3), 1, at(1_000), "busy").await.unwrap());
    let spared = entry(&*store, 3).await;
    assert_eq!(store.retry(Retry::AllFailed).await.unwrap(), 2);
    assert_eq!(store.retry(Retry::AllFailed).await.unwrap(), 0);
    assert_eq!(entry(&*store, 3).await, spared, "it waits as it did");
    for number in [1, 2] {
        let entry = entry(&*store, number).await;
        assert_eq!((entry.attempts, entry.next_attempt_at, entry.failed_at), (0, None, None));
        assert_eq!(claimed(&*store, 5).await, Some((number, 1)), "at once, and counted anew");
    }
    assert_eq!(claimed(&*store, 5).await, None);
}

#[apply(account_case!)]
async fn one_mail_is_tried_again(store: Arc<dyn Store>) {
    failed(&*store, [(1, 10), (2, 20)]).await;
    enqueued(&*store, [3]).await;
    assert_eq!(claimed(&*store, 0).await, Some((3, 1)));
    assert!(store.postpone(message_id(3), 1, at(1_000), "busy").await.unwrap());
    for (number, expected) in [(2, 1), (3, 1), (4, 0)] {
        assert_eq!(store.retry(Retry::One(message_id(number))).await.unwrap(), expected, "{number}");
        assert_eq!(claimed(&*store, 5).await, (expected == 1).then_some((number, 1)));
    }
    assert_eq!(entry(&*store, 1).await.failed_at, Some(at(10)));
}

#[apply(account_case!)]
async fn a_mail_that_somebody_has_taken_out_is_left_to_them(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    for which in [Retry::One(message_id(1)), Retry::AllFailed] {
        assert_eq!(store.retry(which).await.unwrap(), 0, "{which:?}");
    }
    assert_eq!(claimed(&*store, 59).await, None);
    assert!(store.delivered(message_id(1), 1).await.unwrap());
}

/// A time further in the future than any delay can reach was written before the clock was set back. It is ignored.
#[apply(account_case!)]
async fn a_clock_that_was_moved_back_holds_no_mail(store: Arc<dyn Store>) {
    let (longest, second) = (RetryPolicy::MAX_WAIT, Seconds::new(1));
    enqueued(&*store, [1]).await;
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    let next_attempt_at = at(100_000);
    assert!(store.postpone(message_id(1), 1, next_attempt_at, "busy").await.unwrap());
    let moved_back = next_attempt_at.minus(longest).seconds() - at(0).seconds();
    assert_eq!(claimed(&*store, moved_back).await, None, "so long is no longer than any");
    assert_eq!(claimed(&*store, moved_back - second.get() as i64).await, Some((1, 2)));
}

/// But clocks differ: a machine whose clock is ahead keeps the email that it is sending.
#[apply(account_case!)]
async fn a_clock_that_was_moved_back_frees_what_was_taken_out(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    assert_eq!(claimed(&*store, 1_000).await, Some((1, 1))); // Until 1060: each claim lasts a minute.
    for seconds in [1_000, 999, 990, 940] {
        assert_eq!(claimed(&*store, seconds).await, None, "{seconds}");
    }
    assert_eq!(claimed(&*store, 939).await, Some((1, 2)));
    assert_eq!(claimed(&*store, 939).await, None);
    assert_eq!(claimed(&*store, -1_000_000).await, Some((1, 3)));
}

#[apply(account_case!)]
async fn a_mail_of_a_clock_that_is_ahead_is_due(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    for seconds in [-1_000_000, -1] {
        let (number, attempt) = claimed(&*store, seconds).await.expect("it is due at once");
        assert_eq!(number, 1);
        assert!(store.postpone(message_id(1), attempt, at(seconds), "busy").await.unwrap());
    }
}

#[apply(account_case!)]
async fn only_mails_that_were_given_up_before_are_pruned(store: Arc<dyn Store>) {
    failed(&*store, [(1, 99), (2, 100), (3, 98), (4, 101)]).await;
    enqueued(&*store, [5, 6]).await;
    assert_eq!(claimed(&*store, 0).await, Some((5, 1)));
    assert_eq!(store.prune_outbox(at(100), 10).await.unwrap(), 2);
    assert_eq!(store.prune_outbox(at(100), 10).await.unwrap(), 0);
    assert_eq!(queued(&*store).await, [2, 4, 5, 6]);
    assert_eq!(store.prune_outbox(at(1_000_000), 10).await.unwrap(), 2);
    assert_eq!(queued(&*store).await, [5, 6], "what waits is kept, however long");
}

#[apply(account_case!)]
async fn at_most_so_many_mails_are_pruned(store: Arc<dyn Store>) {
    failed(&*store, (0..7).map(|number| (number, 0))).await;
    for (limit, expected, left) in [(0, 0, 7), (3, 3, 4), (3, 3, 1), (u32::MAX, 1, 0), (3, 0, 0)] {
        assert_eq!(store.prune_outbox(at(1), limit).await.unwrap(), expected);
        assert_eq!(queued(&*store).await.len(), left);
    }
}
