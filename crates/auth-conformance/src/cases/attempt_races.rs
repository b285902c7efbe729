//! Rate limits: concurrent attempts.

use std::sync::Arc;

use auth_accounts::ports::Store;
use auth_accounts::throttle::{Admission, Attempt, Limit, LimitKey, Reduction};
use auth_core::time::Seconds;
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use crate::at;

fn most(most: u32, name: String) -> Attempt {
    Attempt { limit_key: LimitKey::new(name), limit: Limit::Window { most, window: Seconds::new(60) } }
}

/// Makes these attempts concurrently. Returns how many were allowed.
async fn admitted(store: &Arc<dyn Store>, round: u64, rivals: Vec<Vec<Attempt>>) -> usize {
    let gate = Gate::of(rivals.len(), round, store);
    let rivals = rivals
        .into_iter()
        .map(|attempts| gate.send(move |store| async move { store.admit(&attempts, at(0)).await.unwrap() }));
    count(&answers(rivals.collect()).await, |admission| *admission == Admission::Admitted)
}

/// Covers the first attempts, which create the count, and later ones, which update it.
#[apply(account_case!)]
async fn concurrent_attempts_are_allowed_up_to_the_limit(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        for rivals in [3, 8] {
            let attempts = vec![vec![most(5, format!("bucket {round}"))]; rivals];
            assert_eq!(admitted(&store, round, attempts).await, if rivals == 3 { 3 } else { 2 });
        }
        let row = Limit::Growing {
            free: 4,
            first_delay: Seconds::new(1),
            max_delay: Seconds::new(8),
            forget: Seconds::new(100),
        };
        let attempts = vec![vec![Attempt { limit_key: LimitKey::new(format!("row {round}")), limit: row }]; 8];
        assert_eq!(admitted(&store, round, attempts).await, 4);
    }
}

/// A store that locks the counts in the order of the call would deadlock or fail.
#[apply(account_case!)]
async fn concurrent_attempts_may_list_limit_keys_in_any_order(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let (one, two) = (most(5, format!("one {round}")), most(5, format!("two {round}")));
        let orders = [vec![one.clone(), two.clone()], vec![two, one]];
        let attempts = orders.into_iter().cycle().take(8).collect();
        assert_eq!(admitted(&store, round, attempts).await, 5);
    }
}

#[apply(account_case!)]
async fn a_refused_concurrent_attempt_is_counted_for_no_limit_key(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let (narrow, wide) = (most(3, format!("narrow {round}")), most(10, format!("wide {round}")));
        let attempts = vec![vec![narrow, wide.clone()]; 8];
        assert_eq!(admitted(&store, round, attempts).await, 3);
        assert_eq!(admitted(&store, round, vec![vec![wide]; 9]).await, 7);
    }
}

#[apply(account_case!)]
async fn concurrent_refunds_lose_no_attempt(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let attempt = most(100, format!("bucket {round}"));
        let other = most(100, format!("another {round}"));
        let both = [(attempt.limit_key.clone(), Reduction::Refund), (other.limit_key.clone(), Reduction::Refund)];
        let gate = Gate::of(6, round, &store);
        let calls = (0..6).map(|rival| {
            let (mut attempts, mut refunds) = ([attempt.clone(), other.clone()], both.clone());
            if rival % 2 == 0 {
                attempts.reverse();
                refunds.reverse();
            }
            gate.send(move |store| async move {
                assert_eq!(store.admit(&attempts, at(0)).await.unwrap(), Admission::Admitted);
                if rival < 4 {
                    store.reduce(&refunds).await.unwrap();
                }
                store.prune_attempts(at(0), 10).await.unwrap();
            })
        });
        answers(calls.collect()).await;
        // Two of the six attempts remain counted.
        for name in ["bucket", "another"] {
            let attempts = vec![vec![most(6, format!("{name} {round}"))]; 8];
            assert_eq!(admitted(&store, round, attempts).await, 4);
        }
    }
}
