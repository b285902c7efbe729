//! Concurrent calls. They start at nearly the same time, so that one runs while another is in progress.

use std::sync::Arc;

use auth_core::ports::{Randomness, TokenUsers};
use auth_core::token::Subject;
use auth_core::user::UserId;
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, yield_now};

use crate::SeededRandomness;

/// How often each race is run. Most incorrect stores fail in the first rounds.
pub(super) const ROUNDS: u64 = 25;

/// A store behind a barrier that opens when the expected number of calls wait at it.
pub(super) struct Gate<S: ?Sized> {
    store: Arc<S>,
    barrier: Arc<Barrier>,
    pauses: Option<SeededRandomness>,
}

impl<S: TokenUsers + ?Sized + 'static> Gate<S> {
    /// A gate for this number of calls; it does not open for fewer. In two of three rounds, some calls are delayed
    /// after it.
    pub(super) fn of(calls: usize, round: u64, store: &Arc<S>) -> Self {
        let pauses = (!round.is_multiple_of(3)).then(|| SeededRandomness::new(round));
        Self { store: Arc::clone(store), barrier: Arc::new(Barrier::new(calls)), pauses }
    }

    /// Spawns a call that waits at the gate.
    pub(super) fn send<T, F>(&self, call: impl FnOnce(Arc<S>) -> F + Send + 'static) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (store, barrier) = (Arc::clone(&self.store), Arc::clone(&self.barrier));
        let pause = self.pause();
        tokio::spawn(async move {
            barrier.wait().await;
            delay(&*store, pause).await;
            call(store).await
        })
    }

    /// Spawns a call for a user that waits at the gate.
    pub(super) fn send_for<T, F>(
        &self,
        user: &UserId,
        call: impl FnOnce(Arc<S>, UserId) -> F + Send + 'static,
    ) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let user = user.clone();
        self.send(|store| call(store, user))
    }

    fn pause(&self) -> u64 {
        let mut byte = [0];
        if let Some(pauses) = &self.pauses {
            pauses.fill(&mut byte);
        }
        u64::from(byte[0] % 4)
    }
}

/// Lets time pass without sleeping: on any store, a read takes about as long as a step of another call.
pub(super) async fn delay(store: &(impl TokenUsers + ?Sized), number: u64) {
    for _ in 0..number {
        assert_eq!(store.find_by_subject(&Subject::Id(UserId::new(0))).await.unwrap(), None);
        yield_now().await;
    }
}

/// The results of the calls, in the order in which they were sent.
pub(super) async fn answers<T>(calls: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

/// How many of the results match.
pub(super) fn count<T>(answers: &[T], is: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| is(answer)).count()
}
