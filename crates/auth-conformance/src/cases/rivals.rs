//! Calls that are made at one moment, or nearly: whoever is a little late finds the other in the middle of its work.

use std::sync::Arc;

use auth_core::account::UserId;
use auth_core::ports::{Randomness, Store};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, yield_now};

use crate::SeededRandomness;

/// How often each race is run. Most wrong stores lose in the first rounds.
pub(super) const ROUNDS: u64 = 25;

/// A store and a gate before it, which opens when so many calls wait there.
pub(super) struct Gate<S> {
    store: Arc<S>,
    barrier: Arc<Barrier>,
    pauses: Option<SeededRandomness>,
}

impl<S: Store + 'static> Gate<S> {
    /// A gate for so many calls. With fewer it never opens. Behind it, in two rounds of three, some calls are late.
    pub(super) fn of(calls: usize, round: u64, store: &Arc<S>) -> Self {
        let pauses = (!round.is_multiple_of(3)).then(|| SeededRandomness::new(round));
        Self { store: Arc::clone(store), barrier: Arc::new(Barrier::new(calls)), pauses }
    }

    /// Sends a call through the gate, in a task of its own.
    pub(super) fn send<T, F>(&self, call: impl FnOnce(Arc<S>) -> F + Send + 'static) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (store, barrier) = (Arc::clone(&self.store), Arc::clone(&self.barrier));
        let pause = self.pause();
        tokio::spawn(async move {
            barrier.wait().await;
            moments(&*store, pause).await;
            call(store).await
        })
    }

    fn pause(&self) -> u64 {
        let mut byte = [0];
        if let Some(pauses) = &self.pauses {
            pauses.fill(&mut byte);
        }
        u64::from(byte[0] % 4)
    }
}

/// Lets some time pass without a sleep: a read takes about as long as a step of another call, on whatever store.
pub(super) async fn moments(store: &impl Store, number: u64) {
    for _ in 0..number {
        assert_eq!(store.find_user(UserId::new(0)).await.unwrap(), None);
        yield_now().await;
    }
}

/// The answers of calls, in the order in which they were sent.
pub(super) async fn answers<T>(calls: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

/// How many of the answers are so.
pub(super) fn count<T>(answers: &[T], is: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| is(answer)).count()
}
