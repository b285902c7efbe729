//! The outbox: concurrent calls.

use std::sync::Arc;

use auth_accounts::ports::{Retry, Store};
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::queued;
use super::outbox::{claimed, enqueued};
use crate::{at, message_id, new_email};

/// Claims emails until there are none left.
async fn all_claimed(store: Arc<dyn Store>) -> Vec<(u64, u32)> {
    let mut mails = Vec::new();
    while let Some(mail) = claimed(&*store, 0).await {
        mails.push(mail);
    }
    mails
}

#[apply(account_case!)]
async fn each_email_is_claimed_by_one_of_many_workers(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        enqueued(&*store, 8 * round..8 * (round + 1)).await;
        let gate = Gate::of(4, round, &store);
        let workers = (0..4).map(|_| gate.send(all_claimed)).collect();
        let mut mails = answers(workers).await.concat();
        mails.sort_unstable();
        assert!(mails.iter().copied().eq((8 * round..8 * (round + 1)).map(|number| (number, 1))), "{mails:?}");
    }
    assert_eq!(queued(&*store).await.len() as u64, 8 * ROUNDS);
}

#[apply(account_case!)]
async fn one_of_many_outcomes_of_a_claim_counts(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        enqueued(&*store, [round]).await;
        assert_eq!(claimed(&*store, 0).await, Some((round, 1)));
        let gate = Gate::of(6, round, &store);
        let rivals =
            (0..6).map(|_| gate.send(async move |s| s.delivered(message_id(round), 1).await.unwrap())).collect();
        assert_eq!(count(&answers(rivals).await, |delivered| *delivered), 1);
        assert!(queued(&*store).await.is_empty());
    }
}

/// After a claim has ended, either its late outcome is accepted or the email is claimed again, but not both.
#[apply(account_case!)]
async fn an_expired_claim_is_either_reported_or_claimed_again(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        enqueued(&*store, [round]).await;
        assert_eq!(claimed(&*store, 0).await, Some((round, 1)));
        let gate = Gate::of(2, round, &store);
        let outcome = gate.send(async move |s| s.delivered(message_id(round), 1).await.unwrap());
        let successor = gate.send(async move |s| claimed(&*s, 60).await);
        match (outcome.await.unwrap(), successor.await.unwrap()) {
            (true, None) => {}
            (false, Some(claimed)) => {
                assert_eq!(claimed, (round, 2));
                assert!(store.delivered(message_id(round), 2).await.unwrap());
            }
            both => panic!("{both:?}"),
        }
        assert!(queued(&*store).await.is_empty());
    }
}

/// The calls lock the same emails in different orders.
#[apply(account_case!)]
async fn concurrent_outbox_calls_do_not_fail(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        enqueued(&*store, 4 * round..4 * round + 3).await;
        let gate = Gate::of(8, round, &store);
        let claim_and = |outcome: u64| {
            gate.send(async move |s| {
                let Some((number, attempt)) = claimed(&*s, 0).await else { return };
                let id = message_id(number);
                match outcome {
                    0 => s.delivered(id, attempt).await.map(drop).unwrap(),
                    1 => s.reschedule(id, attempt, at(0), "busy").await.map(drop).unwrap(),
                    _ => s.give_up(id, attempt, at(0), "unknown").await.map(drop).unwrap(),
                }
            })
        };
        let calls = vec![
            claim_and(0),
            claim_and(1),
            claim_and(2),
            claim_and(2),
            gate.send(async move |s| s.retry(Retry::AllFailed).await.map(drop).unwrap()),
            gate.send(async move |s| s.retry(Retry::One(message_id(4 * round))).await.map(drop).unwrap()),
            gate.send(async move |s| s.prune_outbox(at(1), 2).await.map(drop).unwrap()),
            gate.send(async move |s| s.enqueue(&new_email(4 * round + 3)).await.unwrap()),
        ];
        answers(calls).await;
    }
}
