//! The outbox: retrying and pruning emails, also after the clock was set back.

use std::sync::Arc;

use auth_accounts::email::{OutboxEntry, RetryPolicy};
use auth_accounts::ports::{Retry, Store};
use auth_core::time::Seconds;
use macro_rules_attribute::apply;

use super::fixture::{outbox, queued};
use super::outbox::{claimed, enqueued};
use crate::{at, message_id};

/// Enqueues these emails one after the other and gives each one up.
async fn failed(store: &dyn Store, numbers: impl IntoIterator<Item = (u64, i64)>) {
    for (number, failed_at) in numbers {
        enqueued(store, [number]).await;
        assert_eq!(claimed(store, 0).await, Some((number, 1)));
        assert!(store.give_up(message_id(number), 1, at(failed_at), "unknown").await.unwrap());
    }
}

async fn entry(store: &dyn Store, number: u64) -> OutboxEntry {
    outbox(store).await.into_iter().find(|entry| entry.id == message_id(number)).expect("an email in the outbox")
}

#[apply(account_case!)]
async fn retries_all_emails_that_were_given_up(store: Arc<dyn Store>) {
    failed(&*store, [(1, 10), (2, 20)]).await;
    enqueued(&*store, [3]).await;
    assert_eq!(claimed(&*store, 0).await, Some((3, 1)));
    assert!(store.reschedule(message_id(3), 1, at(1_000), "busy").await.unwrap());
    let spared = entry(&*store, 3).await;
    assert_eq!(store.retry(Retry::AllFailed).await.unwrap(), 2);
    assert_eq!(store.retry(Retry::AllFailed).await.unwrap(), 0);
    assert_eq!(entry(&*store, 3).await, spared, "an email that waits is unchanged");
    for number in [1, 2] {
        let entry = entry(&*store, number).await;
        assert_eq!((entry.attempts, entry.next_attempt_at, entry.failed_at), (0, None, None));
        assert_eq!(claimed(&*store, 5).await, Some((number, 1)), "it is due at once and its attempts start again");
    }
    assert_eq!(claimed(&*store, 5).await, None);
}

#[apply(account_case!)]
async fn retries_one_email(store: Arc<dyn Store>) {
    failed(&*store, [(1, 10), (2, 20)]).await;
    enqueued(&*store, [3]).await;
    assert_eq!(claimed(&*store, 0).await, Some((3, 1)));
    assert!(store.reschedule(message_id(3), 1, at(1_000), "busy").await.unwrap());
    for (number, expected) in [(2, 1), (3, 1), (4, 0)] {
        assert_eq!(store.retry(Retry::One(message_id(number))).await.unwrap(), expected, "{number}");
        assert_eq!(claimed(&*store, 5).await, (expected == 1).then_some((number, 1)));
    }
    assert_eq!(entry(&*store, 1).await.failed_at, Some(at(10)));
}

#[apply(account_case!)]
async fn does_not_retry_a_claimed_email(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    for which in [Retry::One(message_id(1)), Retry::AllFailed] {
        assert_eq!(store.retry(which).await.unwrap(), 0, "{which:?}");
    }
    assert_eq!(claimed(&*store, 59).await, None);
    assert!(store.delivered(message_id(1), 1).await.unwrap());
}

/// A time further in the future than any delay allows was stored before the clock was set back. It is ignored.
#[apply(account_case!)]
async fn a_clock_set_back_does_not_delay_an_email(store: Arc<dyn Store>) {
    let (longest, second) = (RetryPolicy::MAX_DELAY, Seconds::new(1));
    enqueued(&*store, [1]).await;
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    let next_attempt_at = at(100_000);
    assert!(store.reschedule(message_id(1), 1, next_attempt_at, "busy").await.unwrap());
    let moved_back = next_attempt_at.minus(longest).seconds() - at(0).seconds();
    assert_eq!(claimed(&*store, moved_back).await, None, "the longest possible delay is respected");
    assert_eq!(claimed(&*store, moved_back - second.get() as i64).await, Some((1, 2)));
}

/// Clocks differ: a machine whose clock is ahead keeps the email that it is sending.
#[apply(account_case!)]
async fn a_clock_set_back_ends_a_claim(store: Arc<dyn Store>) {
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
async fn an_email_from_a_clock_that_is_ahead_is_due(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    for seconds in [-1_000_000, -1] {
        let (number, attempt) = claimed(&*store, seconds).await.expect("an email that is due");
        assert_eq!(number, 1);
        assert!(store.reschedule(message_id(1), attempt, at(seconds), "busy").await.unwrap());
    }
}

#[apply(account_case!)]
async fn prunes_only_emails_given_up_before_the_given_time(store: Arc<dyn Store>) {
    failed(&*store, [(1, 99), (2, 100), (3, 98), (4, 101)]).await;
    enqueued(&*store, [5, 6]).await;
    assert_eq!(claimed(&*store, 0).await, Some((5, 1)));
    assert_eq!(store.prune_outbox(at(100), 10).await.unwrap(), 2);
    assert_eq!(store.prune_outbox(at(100), 10).await.unwrap(), 0);
    assert_eq!(queued(&*store).await, [2, 4, 5, 6]);
    assert_eq!(store.prune_outbox(at(1_000_000), 10).await.unwrap(), 2);
    assert_eq!(queued(&*store).await, [5, 6], "waiting emails are never pruned");
}

#[apply(account_case!)]
async fn prunes_no_more_emails_than_the_limit(store: Arc<dyn Store>) {
    failed(&*store, (0..7).map(|number| (number, 0))).await;
    for (limit, expected, left) in [(0, 0, 7), (3, 3, 4), (3, 3, 1), (u32::MAX, 1, 0), (3, 0, 0)] {
        assert_eq!(store.prune_outbox(at(1), limit).await.unwrap(), expected);
        assert_eq!(queued(&*store).await.len(), left);
    }
}
