//! A thread pool with a bounded queue.
//!
//! Decides which jobs are accepted; independent of what the jobs do.

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

/// Why a job has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PoolError {
    /// The queue is full.
    Full {
        /// Estimated time until the queue is empty: 1 to 60 seconds.
        retry_after: Seconds,
    },
    /// The job panicked.
    Panicked,
}

/// Threads that run jobs in the order of arrival. Each thread has its own state. They end when the pool is dropped.
pub(super) struct Pool<S> {
    queue: SyncSender<Job<S>>,
    workers: Vec<thread::JoinHandle<()>>,
    /// Number of jobs that may wait in the queue.
    capacity: u64,
    /// Number of waiting jobs with [`QueueShare::Half`].
    half_waiting: Arc<AtomicUsize>,
    /// Moving average of the duration of a job, in microseconds; 0 before the first.
    mean_micros: Arc<AtomicU64>,
}

impl<S: 'static> Pool<S> {
    const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;

    /// Starts `threads` threads, which are named after `name`. At most `queue` jobs may wait (at least 1). `state`
    /// creates the state of a thread.
    ///
    /// # Errors
    /// If the operating system cannot create a thread.
    pub(super) fn new(
        name: &str,
        threads: usize,
        queue: usize,
        state: impl Fn() -> S + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let capacity = queue.max(1);
        let (queue, jobs) = sync_channel(capacity);
        let jobs = Arc::new(Mutex::new(jobs));
        let start = |index| {
            let (jobs, state) = (Arc::clone(&jobs), state.clone());
            thread::Builder::new().name(format!("{name}-{index}")).spawn(move || work(&jobs, &state))
        };
        let workers = (0..threads).map(start).collect::<io::Result<_>>()?;
        Ok(Self {
            queue,
            workers,
            capacity: capacity as u64,
            half_waiting: Arc::default(),
            mean_micros: Arc::default(),
        })
    }

    /// Runs a job and returns its result. Fails immediately if the queue is full. A job that has started is completed
    /// even if the future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        share: QueueShare,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let full = || PoolError::Full { retry_after: self.retry_after() };
        let slot = match share {
            QueueShare::Whole => None,
            QueueShare::Half => Some(Slot::reserve(&self.half_waiting, self.half()).ok_or_else(full)?),
        };
        let (reply, result) = oneshot::channel();
        let mean_micros = Arc::clone(&self.mean_micros);
        let job: Job<S> = Box::new(move |state| {
            // The job has left the queue.
            drop(slot);
            if reply.is_closed() {
                return; // The caller was cancelled while the job was waiting.
            }
            let start = Instant::now();
            let result = job(state);
            record(&mean_micros, start.elapsed());
            // Fails if the caller was cancelled in the meantime.
            let _ = reply.send(result);
        });
        match self.queue.try_send(job) {
            Ok(()) => result.await.map_err(|_| PoolError::Panicked),
            Err(TrySendError::Full(_)) => Err(full()),
            Err(TrySendError::Disconnected(_)) => Err(PoolError::Panicked),
        }
    }

    /// Returns the number of threads.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Returns the number of jobs with [`QueueShare::Half`] that may wait.
    fn half(&self) -> usize {
        usize::try_from(self.capacity / 2).unwrap_or(usize::MAX).max(1)
    }

    /// Estimates how long the threads need for a full queue.
    fn retry_after(&self) -> Seconds {
        let jobs_per_thread = self.capacity.div_ceil(self.workers.len().max(1) as u64);
        let micros = self.mean_micros.load(Ordering::Relaxed).saturating_mul(jobs_per_thread);
        let (min, max) = (*Self::RETRY_AFTER_SECONDS.start(), *Self::RETRY_AFTER_SECONDS.end());
        Seconds::new(micros.div_ceil(1_000_000).clamp(min, max))
    }
}

/// A reserved slot in half of the queue, released on drop.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    /// Reserves a slot if fewer than `max` are reserved.
    fn reserve(count: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let increment = |count| (count < max).then_some(count + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, increment).ok().map(|_| Self(Arc::clone(count)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.workers.len())
            .field("queue", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// Runs jobs until the pool is dropped.
fn work<S>(jobs: &Mutex<Receiver<Job<S>>>, new_state: &impl Fn() -> S) {
    let mut state = new_state();
    loop {
        // The lock is held while waiting for a job, not while running it.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| job(&mut state))).is_err() {
            // The panic may have left the state inconsistent.
            state = new_state();
        }
    }
}

/// Updates the moving average with the duration of one more job. A lost update does not matter.
fn record(mean_micros: &AtomicU64, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let before = mean_micros.load(Ordering::Relaxed);
    // Exponential moving average: the last job has a weight of 1/4.
    let average = if before == 0 { micros } else { before - before / 4 + micros / 4 };
    mean_micros.store(average, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::*;

    /// How long a test waits for another thread before it fails.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn pool(threads: usize, queue: usize) -> Pool<u32> {
        Pool::new("test", threads, queue, || 0).unwrap()
    }

    /// Polls a future once, so that it enqueues its job.
    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> std::task::Poll<T> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }

    /// Returns why one more job is rejected; `None` if it is enqueued.
    fn rejection(pool: &Pool<u32>) -> Option<PoolError> {
        match poll(std::pin::pin!(pool.run(QueueShare::Whole, |_| ()))) {
            std::task::Poll::Ready(result) => result.err(),
            std::task::Poll::Pending => None,
        }
    }

    /// Returns a job that reports its start and ends when it is released.
    fn blocking() -> (impl FnOnce(&mut u32) + Send + 'static, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let job = move |_: &mut u32| {
            started.send(()).unwrap();
            released.recv_timeout(TIMEOUT).unwrap();
        };
        (job, has_started, release)
    }

    #[tokio::test]
    async fn rejects_a_job_immediately_if_the_queue_is_full() {
        let pool = pool(1, 1);
        let (job, started, release) = blocking();
        let mut running = std::pin::pin!(pool.run(QueueShare::Whole, job));
        assert!(poll(running.as_mut()).is_pending());
        started.recv_timeout(TIMEOUT).unwrap();
        let mut waiting = std::pin::pin!(pool.run(QueueShare::Whole, |_| "waited"));
        assert!(poll(waiting.as_mut()).is_pending());
        for _ in 0..3 {
            assert_eq!(rejection(&pool), Some(PoolError::Full { retry_after: Seconds::new(1) }));
        }
        release.send(()).unwrap();
        assert_eq!(running.await, Ok(()));
        assert_eq!(waiting.await, Ok("waited"));
        assert_eq!(pool.run(QueueShare::Whole, |_| "accepted").await, Ok("accepted"));
    }

    #[tokio::test]
    async fn half_share_jobs_fill_at_most_half_of_the_queue() {
        let pool = pool(1, 4);
        let (job, started, release) = blocking();
        let mut running = std::pin::pin!(pool.run(QueueShare::Half, job));
        assert!(poll(running.as_mut()).is_pending());
        started.recv_timeout(TIMEOUT).unwrap();
        // The running job does not count towards the share.
        let mut halves: Vec<_> = (0..3).map(|_| Box::pin(pool.run(QueueShare::Half, |_| ()))).collect();
        let polled: Vec<_> = halves.iter_mut().map(|half| poll(half.as_mut())).collect();
        let full = Err(PoolError::Full { retry_after: Seconds::new(1) });
        assert!(polled[0].is_pending() && polled[1].is_pending() && polled[2] == std::task::Poll::Ready(full));
        let mut wholes: Vec<_> = (0..2).map(|_| Box::pin(pool.run(QueueShare::Whole, |_| ()))).collect();
        assert!(wholes.iter_mut().all(|whole| poll(whole.as_mut()).is_pending()));
        assert!(matches!(rejection(&pool), Some(PoolError::Full { .. })));
        release.send(()).unwrap();
        assert_eq!(running.await, Ok(()));
        for waiting in halves.into_iter().take(2) {
            assert_eq!(waiting.await, Ok(()));
        }
        for waiting in wholes {
            assert_eq!(waiting.await, Ok(()));
        }
        assert_eq!(pool.half_waiting.load(Ordering::Relaxed), 0);
        assert_eq!(pool.run(QueueShare::Half, |_| "accepted").await, Ok("accepted"));
    }

    #[tokio::test]
    async fn a_cancelled_job_occupies_its_thread_until_it_is_done() {
        let pool = pool(1, 1);
        let (job, started, release) = blocking();
        {
            let mut abandoned = std::pin::pin!(pool.run(QueueShare::Whole, job));
            assert!(poll(abandoned.as_mut()).is_pending());
            started.recv_timeout(TIMEOUT).unwrap();
        }
        let mut waiting = std::pin::pin!(pool.run(QueueShare::Whole, |_| "waited"));
        assert!(poll(waiting.as_mut()).is_pending());
        assert!(matches!(rejection(&pool), Some(PoolError::Full { .. })));
        release.send(()).unwrap();
        assert_eq!(waiting.await, Ok("waited"));
    }

    #[tokio::test]
    async fn a_job_cancelled_before_it_starts_is_skipped() {
        let pool = pool(1, 2);
        let (job, started, release) = blocking();
        let mut running = std::pin::pin!(pool.run(QueueShare::Whole, job));
        assert!(poll(running.as_mut()).is_pending());
        started.recv_timeout(TIMEOUT).unwrap();
        let was_done = Arc::new(AtomicBool::new(false));
        {
            let was_done = Arc::clone(&was_done);
            let mut abandoned =
                std::pin::pin!(pool.run(QueueShare::Whole, move |_| was_done.store(true, Ordering::SeqCst)));
            assert!(poll(abandoned.as_mut()).is_pending());
        }
        let mut last = std::pin::pin!(pool.run(QueueShare::Whole, |_| ()));
        assert!(poll(last.as_mut()).is_pending());
        release.send(()).unwrap();
        assert_eq!(last.await, Ok(()));
        assert!(!was_done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_keeps_the_thread_and_discards_its_state() {
        let pool = pool(1, 1);
        let thread = pool.run(QueueShare::Whole, |_| thread::current().id()).await;
        let broken = pool.run(QueueShare::Whole, |state| {
            *state = 7;
            panic!("part of the test");
        });
        assert_eq!(broken.await, Err::<(), _>(PoolError::Panicked));
        assert_eq!(pool.run(QueueShare::Whole, |state| *state).await, Ok(0));
        assert_eq!(pool.run(QueueShare::Whole, |_| thread::current().id()).await, thread);
    }

    #[tokio::test]
    async fn a_thread_keeps_its_state_between_jobs() {
        let pool = pool(1, 1);
        pool.run(QueueShare::Whole, |state| *state = 7).await.unwrap();
        assert_eq!(pool.run(QueueShare::Whole, |state| *state).await, Ok(7));
    }

    #[tokio::test]
    async fn each_thread_runs_a_job_in_parallel() {
        let pool = pool(2, 1);
        let (one, one_started, release_one) = blocking();
        let (other, other_started, release_other) = blocking();
        let (mut one, mut other) =
            (std::pin::pin!(pool.run(QueueShare::Whole, one)), std::pin::pin!(pool.run(QueueShare::Whole, other)));
        assert!(poll(one.as_mut()).is_pending());
        one_started.recv_timeout(TIMEOUT).unwrap();
        assert!(poll(other.as_mut()).is_pending());
        other_started.recv_timeout(TIMEOUT).unwrap();
        release_one.send(()).unwrap();
        release_other.send(()).unwrap();
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
        all_ended.recv_timeout(TIMEOUT).unwrap();
    }

    #[test]
    fn retry_after_follows_the_mean_duration_of_a_job() {
        let pool = pool(2, 128);
        for (micros, seconds) in [(0, 1), (15_000, 1), (20_000, 2), (500_000, 32), (u64::MAX, 60)] {
            pool.mean_micros.store(micros, Ordering::Relaxed);
            assert_eq!(pool.retry_after(), Seconds::new(seconds), "{micros} microseconds per job");
        }
        pool.mean_micros.store(0, Ordering::Relaxed);
        record(&pool.mean_micros, Duration::from_micros(1_000));
        record(&pool.mean_micros, Duration::from_micros(2_000));
        assert_eq!(pool.mean_micros.load(Ordering::Relaxed), 1_250);
    }
}
