//! A few threads fed by a short queue.
//!
//! It decides who is served and who is turned away. What the work is, it does not know.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use auth_accounts::ports::QueueShare;
use auth_core::time::Seconds;
use tokio::sync::oneshot;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PoolError {
    /// Too much is waiting already.
    Full {
        /// How long it takes, at the present pace, until all that is waiting is done; 1 to 60 seconds.
        retry_after: Seconds,
    },
    /// The work panicked.
    Lost,
}

/// Threads that work on jobs in the order of arrival, each with a state of its own. They end when this is dropped.
pub(super) struct Pool<S> {
    queue: SyncSender<Job<S>>,
    workers: Vec<thread::JoinHandle<()>>,
    waiting: u64,
    /// How many of those that wait came for [`QueueShare::Half`].
    of_half: Arc<AtomicUsize>,
    /// Microseconds that a job takes, lately.
    pace: Arc<AtomicU64>,
}

impl<S: 'static> Pool<S> {
    const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;

    /// Starts `threads` of them; `queue` jobs may wait (at least 1). `state` makes the state of each.
    pub(super) fn new(
        name: &str,
        threads: usize,
        queue: usize,
        state: impl Fn() -> S + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let waiting = queue.max(1);
        let (queue, jobs) = sync_channel(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let start = |number| {
            let (jobs, state) = (Arc::clone(&jobs), state.clone());
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&jobs, &state))
        };
        let workers = (0..threads).map(start).collect::<io::Result<_>>()?;
        Ok(Self { queue, workers, waiting: waiting as u64, of_half: Arc::default(), pace: Arc::default() })
    }

    /// Runs a job and waits for its result. A job once started runs to its end, also if nobody waits any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        share: QueueShare,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let full = || PoolError::Full { retry_after: self.retry_after() };
        let place = match share {
            QueueShare::Whole => None,
            QueueShare::Half => Some(Place::take(&self.of_half, self.half()).ok_or_else(full)?),
        };
        let (reply, result) = oneshot::channel();
        let pace = Arc::clone(&self.pace);
        let job: Job<S> = Box::new(move |state| {
            // It waits no longer.
            drop(place);
            if reply.is_closed() {
                return; // Whoever asked has gone before it began.
            }
            let start = Instant::now();
            let done = job(state);
            note(&pace, start.elapsed());
            // If it cannot be sent, nobody wants it.
            let _ = reply.send(done);
        });
        match self.queue.try_send(job) {
            Ok(()) => result.await.map_err(|_| PoolError::Lost),
            Err(TrySendError::Full(_)) => Err(full()),
            Err(TrySendError::Disconnected(_)) => Err(PoolError::Lost),
        }
    }

    /// How many threads there are.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// How many may wait that came for [`QueueShare::Half`].
    fn half(&self) -> usize {
        usize::try_from(self.waiting / 2).unwrap_or(usize::MAX).max(1)
    }

    fn retry_after(&self) -> Seconds {
        let jobs_each = self.waiting.div_ceil(self.workers.len().max(1) as u64);
        let micros = self.pace.load(Ordering::Relaxed).saturating_mul(jobs_each);
        let (least, most) = (*Self::RETRY_AFTER_SECONDS.start(), *Self::RETRY_AFTER_SECONDS.end());
        Seconds::new(micros.div_ceil(1_000_000).clamp(least, most))
    }
}

/// A place in the queue that counts towards a share of it, until it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    /// A place, if fewer than `most` are taken.
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let more = |taken| (taken < most).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.workers.len())
            .field("queue", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// What a thread does until the queue is gone.
fn work<S>(jobs: &Mutex<Receiver<Job<S>>>, state: &impl Fn() -> S) {
    let mut own = state();
    loop {
        // Held while waiting for a job, not while working on it.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| job(&mut own))).is_err() {
            // Whatever the panic left behind is not used again.
            own = state();
        }
    }
}

/// Takes one more job into the average of the last few. Lost updates do not matter.
fn note(pace: &AtomicU64, took: Duration) {
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let before = pace.load(Ordering::Relaxed);
    let average = if before == 0 { took } else { before - before / 4 + took / 4 };
    pace.store(average, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool(threads: usize, queue: usize) -> Pool<u32> {
        Pool::new("test", threads, queue, || 0).unwrap()
    }

    /// Runs a future far enough to hand in its job.
    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> std::task::Poll<T> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }

    /// What another caller is told at once; `None` if it has to wait.
    fn refusal(pool: &Pool<u32>) -> Option<PoolError> {
        match poll(std::pin::pin!(pool.run(QueueShare::Whole, |_| ()))) {
            std::task::Poll::Ready(answer) => answer.err(),
            std::task::Poll::Pending => None,
        }
    }

    /// A job that says when it has begun and ends when it is told to.
    fn gated() -> (impl FnOnce(&mut u32) + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (begun, has_begun) = mpsc::channel();
        let (open, gate) = mpsc::channel();
        let job = move |_: &mut u32| {
            begun.send(()).unwrap();
            gate.recv_timeout(PATIENCE).unwrap();
        };
        (job, has_begun, open)
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_queue_is_refused_at_once() {
        let pool = pool(1, 1);
        let (job, begun, open) = gated();
        let mut running = std::pin::pin!(pool.run(QueueShare::Whole, job));
        assert!(poll(running.as_mut()).is_pending());
        begun.recv_timeout(PATIENCE).unwrap();
        let mut waiting = std::pin::pin!(pool.run(QueueShare::Whole, |_| "waited"));
        assert!(poll(waiting.as_mut()).is_pending());
        for _ in 0..3 {
            assert_eq!(refusal(&pool), Some(PoolError::Full { retry_after: Seconds::new(1) }));
        }
        open.send(()).unwrap();
        assert_eq!(running.await, Ok(()));
        assert_eq!(waiting.await, Ok("waited"));
        assert_eq!(pool.run(QueueShare::Whole, |_| "room again").await, Ok("room again"));
    }

    #[tokio::test]
    async fn half_of_the_queue_is_kept_for_those_who_may_take_all_of_it() {
        let pool = pool(1, 4);
        let (job, begun, open) = gated();
        let mut running = std::pin::pin!(pool.run(QueueShare::Half, job));
        assert!(poll(running.as_mut()).is_pending());
        begun.recv_timeout(PATIENCE).unwrap();
        // What is being worked on does not wait any more.
        let mut halves: Vec<_> = (0..3).map(|_| Box::pin(pool.run(QueueShare::Half, |_| ()))).collect();
        let polled: Vec<_> = halves.iter_mut().map(|half| poll(half.as_mut())).collect();
        let full = Err(PoolError::Full { retry_after: Seconds::new(1) });
        assert!(polled[0].is_pending() && polled[1].is_pending() && polled[2] == std::task::Poll::Ready(full));
        let mut wholes: Vec<_> = (0..2).map(|_| Box::pin(pool.run(QueueShare::Whole, |_| ()))).collect();
        assert!(wholes.iter_mut().all(|whole| poll(whole.as_mut()).is_pending()));
        assert!(matches!(refusal(&pool), Some(PoolError::Full { .. })));
        open.send(()).unwrap();
        assert_eq!(running.await, Ok(()));
        for waiting in halves.into_iter().take(2) {
            assert_eq!(waiting.await, Ok(()));
        }
        for waiting in wholes {
            assert_eq!(waiting.await, Ok(()));
        }
        assert_eq!(pool.of_half.load(Ordering::Relaxed), 0);
        assert_eq!(pool.run(QueueShare::Half, |_| "room again").await, Ok("room again"));
    }

    #[tokio::test]
    async fn hanging_up_frees_no_place_before_the_work_is_done() {
        let pool = pool(1, 1);
        let (job, begun, open) = gated();
        {
            let mut abandoned = std::pin::pin!(pool.run(QueueShare::Whole, job));
            assert!(poll(abandoned.as_mut()).is_pending());
            begun.recv_timeout(PATIENCE).unwrap();
        }
        let mut waiting = std::pin::pin!(pool.run(QueueShare::Whole, |_| "waited"));
        assert!(poll(waiting.as_mut()).is_pending());
        assert!(matches!(refusal(&pool), Some(PoolError::Full { .. })));
        open.send(()).unwrap();
        assert_eq!(waiting.await, Ok("waited"));
    }

    #[tokio::test]
    async fn a_job_whose_caller_left_before_it_began_is_not_done() {
        let pool = pool(1, 2);
        let (job, begun, open) = gated();
        let mut running = std::pin::pin!(pool.run(QueueShare::Whole, job));
        assert!(poll(running.as_mut()).is_pending());
        begun.recv_timeout(PATIENCE).unwrap();
        let was_done = Arc::new(AtomicBool::new(false));
        {
            let was_done = Arc::clone(&was_done);
            let mut abandoned =
                std::pin::pin!(pool.run(QueueShare::Whole, move |_| was_done.store(true, Ordering::SeqCst)));
            assert!(poll(abandoned.as_mut()).is_pending());
        }
        let mut last = std::pin::pin!(pool.run(QueueShare::Whole, |_| ()));
        assert!(poll(last.as_mut()).is_pending());
        open.send(()).unwrap();
        assert_eq!(last.await, Ok(()));
        assert!(!was_done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_ends_neither_the_thread_nor_the_pool_and_its_state_is_thrown_away() {
        let pool = pool(1, 1);
        let thread = pool.run(QueueShare::Whole, |_| thread::current().id()).await;
        let broken = pool.run(QueueShare::Whole, |state| {
            *state = 7;
            panic!("part of the test");
        });
        assert_eq!(broken.await, Err::<(), _>(PoolError::Lost));
        assert_eq!(pool.run(QueueShare::Whole, |state| *state).await, Ok(0));
        assert_eq!(pool.run(QueueShare::Whole, |_| thread::current().id()).await, thread);
    }

    #[tokio::test]
    async fn a_thread_keeps_its_state() {
        let pool = pool(1, 1);
        pool.run(QueueShare::Whole, |state| *state = 7).await.unwrap();
        assert_eq!(pool.run(QueueShare::Whole, |state| *state).await, Ok(7));
    }

    #[tokio::test]
    async fn as_many_jobs_run_at_once_as_there_are_threads() {
        let pool = pool(2, 1);
        let (one, one_begun, open_one) = gated();
        let (other, other_begun, open_other) = gated();
        let (mut one, mut other) =
            (std::pin::pin!(pool.run(QueueShare::Whole, one)), std::pin::pin!(pool.run(QueueShare::Whole, other)));
        assert!(poll(one.as_mut()).is_pending());
        one_begun.recv_timeout(PATIENCE).unwrap();
        assert!(poll(other.as_mut()).is_pending());
        other_begun.recv_timeout(PATIENCE).unwrap();
        open_one.send(()).unwrap();
        open_other.send(()).unwrap();
        assert_eq!((one.await, other.await), (Ok(()), Ok(())));
    }

    #[test]
    fn dropping_the_pool_ends_its_threads() {
        let mut pool = pool(3, 4);
        let workers = std::mem::take(&mut pool.workers);
        assert!(workers.iter().all(|worker| !worker.is_finished()));
        drop(pool);
        let (ended, all_ended) = mpsc::channel();
        thread::spawn(move || {
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            ended.send(()).unwrap();
        });
        all_ended.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn the_advice_when_to_come_back_follows_the_pace() {
        let pool = pool(2, 128);
        for (micros, seconds) in [(0, 1), (15_000, 1), (20_000, 2), (500_000, 32), (u64::MAX, 60)] {
            pool.pace.store(micros, Ordering::Relaxed);
            assert_eq!(pool.retry_after(), Seconds::new(seconds), "{micros} microseconds a job");
        }
        pool.pace.store(0, Ordering::Relaxed);
        note(&pool.pace, Duration::from_micros(1_000));
        note(&pool.pace, Duration::from_micros(2_000));
        assert_eq!(pool.pace.load(Ordering::Relaxed), 1_250);
    }
}
