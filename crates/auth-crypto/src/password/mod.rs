//! Password hashing on a dedicated thread pool.
//!
//! New hashes are Argon2id. Every hash format of Django can be verified, so that a database can be imported unchanged
//! (wire contract section 10). A correct password whose hash has another format or cost than new hashes is reported as
//! outdated, so that the caller can store a new hash.

mod cost;
mod parse;
mod pool;
mod stored;

use std::error::Error;
use std::io;

use async_trait::async_trait;
use auth_accounts::password::{CheckedPassword, PasswordHash, RawPassword};
use auth_accounts::ports::{HashError, PasswordHasher, QueueShare, Verdict};
use zeroize::Zeroizing;

pub use cost::{Argon2Cost, CostOutOfBounds};

use crate::password::cost::Scratch;
use crate::password::pool::{Pool, PoolError};
use crate::password::stored::{SALT_LEN, create};

/// Options of a [`BoundedHasher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherOptions {
    /// The cost of new hashes.
    pub cost: Argon2Cost,
    /// Number of passwords hashed in parallel, from 1 to the number of available cores; `None` for all cores. Each
    /// thread retains the memory of one hash at [`cost`](Self::cost).
    pub threads: Option<usize>,
    /// Number of passwords that may wait for a thread, at least 1. At most half of them, but at least 1, may wait with
    /// [`QueueShare::Half`].
    pub queue: usize,
}

impl Default for HasherOptions {
    /// [`Argon2Cost::DEFAULT`], a thread for each core, a queue of 128.
    fn default() -> Self {
        Self { cost: Argon2Cost::DEFAULT, threads: None, queue: 128 }
    }
}

/// Hashes passwords on a thread pool with a bounded queue. Fails immediately if the queue is full (REL-016).
///
/// If the future is dropped while its password is being hashed, the thread stays busy until the hash is done, so that a
/// client gains nothing by disconnecting and retrying (REL-017). If it is dropped earlier, the password is not hashed.
/// When the hasher is dropped, its threads end after their current hash.
///
/// Rejecting a wrong password takes at least as long as one hash at the configured cost, even if the stored hash has an
/// older format or is malformed, unusable (`!…`) or missing (SEC-081).
///
/// ```
/// use auth_accounts::password::{PasswordPolicy, RawPassword};
/// use auth_accounts::ports::{PasswordHasher, QueueShare, Verdict};
/// use auth_crypto::{BoundedHasher, HasherOptions};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hasher = BoundedHasher::new(HasherOptions::default())?;
/// let password = RawPassword::new("Correct-horse-42");
/// let checked = PasswordPolicy::default().check(password.clone(), &[]).unwrap();
/// let hash = hasher.hash(&checked, QueueShare::Whole).await.unwrap();
/// assert_eq!(hasher.verify(&password, Some(&hash)).await.unwrap(), Verdict::Right);
/// assert_eq!(hasher.verify(&password, None).await.unwrap(), Verdict::Wrong);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BoundedHasher {
    cost: Argon2Cost,
    pool: Pool<Scratch>,
}

impl BoundedHasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the operating system cannot create a thread.
    pub fn new(options: HasherOptions) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or(cores).clamp(1, cores);
        Ok(Self {
            cost: options.cost,
            pool: Pool::new("password", threads, options.queue, move || Scratch::retaining(options.cost))?,
        })
    }

    /// Runs `work` on one of the threads.
    async fn run<T: Send + 'static>(
        &self,
        share: QueueShare,
        work: impl FnOnce(&mut Scratch) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, HashError> {
        match self.pool.run(share, work).await {
            Ok(done) => done.map_err(HashError::Failed),
            Err(PoolError::Full { retry_after }) => Err(HashError::Overloaded { retry_after }),
            Err(PoolError::Panicked) => Err(HashError::Failed("the password hashing thread panicked".into())),
        }
    }
}

#[async_trait]
impl PasswordHasher for BoundedHasher {
    async fn hash(&self, password: &CheckedPassword, share: QueueShare) -> Result<PasswordHash, HashError> {
        let (cost, password) = (self.cost, copy(password.raw()));
        self.run(share, move |scratch| hash(&password, cost, scratch)).await
    }

    /// Reports a password that [is too long](RawPassword::is_too_long) as wrong without hashing it. Takes as long as
    /// for a missing hash.
    async fn verify(&self, password: &RawPassword, hash: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        let cost = self.cost;
        let (password, hash) =
            if password.is_too_long() { (Zeroizing::default(), None) } else { (copy(password), hash.cloned()) };
        self.run(QueueShare::Whole, move |scratch| verify(&password, hash.as_ref(), cost, scratch)).await
    }
}

/// Why a hash could not be computed: no memory or no random bytes available.
type WorkError = Box<dyn Error + Send + Sync>;

/// Copies a password so that it outlives the request; the copy is wiped when dropped.
fn copy(password: &RawPassword) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.expose().as_bytes().to_vec())
}

/// Returns a hash with a new random salt, in the format of Django.
fn hash(password: &[u8], cost: Argon2Cost, scratch: &mut Scratch) -> Result<PasswordHash, WorkError> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt)?;
    Ok(PasswordHash::new(create(password, &salt, cost, scratch)?))
}

fn verify(
    password: &[u8],
    hash: Option<&PasswordHash>,
    cost: Argon2Cost,
    scratch: &mut Scratch,
) -> Result<Verdict, WorkError> {
    let stored = hash.and_then(|hash| parse::parse(hash.expose()));
    let is_right = stored.as_ref().map_or(Ok(false), |stored| stored.matches(password, scratch))?;
    let is_current = stored.is_some_and(|stored| stored.is_current(cost));
    Ok(match (is_right, is_current) {
        (true, true) => Verdict::Right,
        (true, false) => Verdict::RightButOutdated,
        (false, true) => Verdict::Wrong,
        (false, false) => {
            // The result is known, but must take as long as one hash at the current cost (SEC-081).
            std::hint::black_box(create(password, &[0; SALT_LEN], cost, scratch)?);
            Verdict::Wrong
        }
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn cost() -> Argon2Cost {
        Argon2Cost::new(64, 1, 1).unwrap()
    }

    fn one_thread() -> BoundedHasher {
        BoundedHasher::new(HasherOptions { cost: cost(), threads: Some(1), queue: 1 }).unwrap()
    }

    /// SEC-081. The retained memory shows that Argon2 was computed at the current cost.
    #[test]
    fn rejecting_a_password_computes_a_hash_at_the_current_cost() {
        let current = hash(b"right", cost(), &mut Scratch::retaining(cost())).unwrap();
        let current = current.expose();
        let cheaper = hash(b"right", Argon2Cost::new(8, 1, 1).unwrap(), &mut Scratch::retaining(cost())).unwrap();
        for stored in [
            None,
            Some(current),
            Some(cheaper.expose()),
            Some("md5$salt$964796ecabd0bbbb25f32e80f9deb041"),
            Some("bcrypt$$2b$04$ogPqTh2rNdIDOuJfLVdoNeWBD2bn47GnUuar8AtL7fhZ9fujY.xvG"),
            Some("pbkdf2_sha256$1$salt$lPtWrz6iLl0+0bBUCFsTbKMBt12LQGyALEiUefJzh8Y="),
            Some("!iRCGoHjauwVqAb0dIxY2f9SJAWts8UswgL6yOT0M"),
            Some("argon2$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$lPtWrz6iLl0+0bBUCFsTbKMBt12LQGyALEiUefJzh8Y"),
            Some("unknown$format"),
            Some(""),
        ] {
            let mut scratch = Scratch::retaining(cost());
            let stored = stored.map(PasswordHash::new);
            assert_eq!(verify(b"wrong", stored.as_ref(), cost(), &mut scratch).unwrap(), Verdict::Wrong);
            assert_eq!(scratch.retained_kib(), 64, "{:?}", stored.as_ref().map(PasswordHash::expose));
        }
    }

    #[test]
    fn memory_is_wiped_and_retained_up_to_the_current_cost() {
        let mut scratch = Scratch::retaining(cost());
        assert_eq!(scratch.retained_kib(), 0);
        hash(b"password", cost(), &mut scratch).unwrap();
        assert_eq!((scratch.retained_kib(), scratch.is_wiped()), (64, true));
        let larger = hash(b"password", Argon2Cost::new(128, 1, 1).unwrap(), &mut Scratch::retaining(cost())).unwrap();
        assert_eq!(verify(b"password", Some(&larger), cost(), &mut scratch).unwrap(), Verdict::RightButOutdated);
        assert_eq!(scratch.retained_kib(), 0);
    }

    #[test]
    fn reused_memory_does_not_change_a_hash() {
        let mut scratch = Scratch::retaining(cost());
        let salt = [7; SALT_LEN];
        let fresh = create(b"password", &salt, cost(), &mut Scratch::retaining(cost())).unwrap();
        for other in [&b"another"[..], b"password"] {
            create(other, &salt, cost(), &mut scratch).unwrap();
            assert_eq!(create(b"password", &salt, cost(), &mut scratch).unwrap(), fresh);
        }
    }

    /// REL-016.
    #[tokio::test]
    async fn a_full_queue_fails_immediately_with_a_time_to_retry() {
        let hasher = one_thread();
        let (started, has_started) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let poll = |future: Pin<&mut dyn Future<Output = Result<Verdict, HashError>>>| {
            future.poll(&mut Context::from_waker(Waker::noop()))
        };
        let mut running = std::pin::pin!(hasher.run(QueueShare::Whole, move |_| {
            started.send(()).unwrap();
            // Also returns if the test fails and drops the sender.
            Ok(released.recv().map_or(Verdict::Wrong, |()| Verdict::Right))
        }));
        assert!(poll(running.as_mut()).is_pending());
        has_started.recv().unwrap();
        let password = RawPassword::new("password");
        let mut waiting = std::pin::pin!(hasher.verify(&password, None));
        assert!(poll(waiting.as_mut()).is_pending());
        let rejected = poll(hasher.verify(&password, None).as_mut());
        let Poll::Ready(Err(HashError::Overloaded { retry_after })) = rejected else { panic!("{rejected:?}") };
        assert!(retry_after.get() >= 1);
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Verdict::Right);
        assert_eq!(waiting.await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_panic_fails_one_hash_and_not_the_next() {
        let hasher = one_thread();
        let failed = hasher.run(QueueShare::Whole, |_| -> Result<(), WorkError> { panic!("part of the test") }).await;
        assert!(matches!(failed, Err(HashError::Failed(_))));
        assert_eq!(hasher.verify(&RawPassword::new("password"), None).await.unwrap(), Verdict::Wrong);
    }

    #[test]
    fn starts_between_one_thread_and_one_per_core() {
        let cores = std::thread::available_parallelism().unwrap().get();
        for (requested, started) in [(None, cores), (Some(0), 1), (Some(1), 1), (Some(cores + 1), cores)] {
            let options = HasherOptions { cost: cost(), threads: requested, queue: 1 };
            assert_eq!(BoundedHasher::new(options).unwrap().pool.threads(), started, "{requested:?}");
        }
    }
}
