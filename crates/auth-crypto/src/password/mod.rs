//! Password hashing on threads of its own.
//!
//! New hashes are Argon2id. Every format that Django has written is verified, so that a database can be moved here as
//! it is; whoever logs in with another format or cost than today's is told so and can store a new hash.

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

/// How a [`BoundedHasher`] hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherOptions {
    /// The cost of new hashes.
    pub cost: Argon2Cost,
    /// How many passwords are hashed at the same time; `None`, and at most: as many as there are cores to use. Each
    /// keeps the memory of [`cost`](Self::cost).
    pub threads: Option<usize>,
    /// How many passwords may wait besides; at least 1. Half of them, but at least 1, may be for
    /// [`QueueShare::Half`].
    pub queue: usize,
}

impl Default for HasherOptions {
    /// [`Argon2Cost::DEFAULT`], all cores, 128 waiting.
    fn default() -> Self {
        Self { cost: Argon2Cost::DEFAULT, threads: None, queue: 128 }
    }
}

/// Hashes passwords on a few threads of its own, and refuses at once what would have to wait too long.
///
/// A caller that goes away while its password is being hashed frees neither the thread nor its place before the work is
/// done, so that hanging up and coming back gains nothing (REL-017); one that goes away before costs nothing. The
/// threads end after their present work when this is dropped.
///
/// A wrong password never gets its answer sooner than one hash at today's cost takes, whether the stored hash is of an
/// older kind, damaged, unusable (`!…`) or missing (SEC-081).
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
    /// If the operating system has no more threads.
    pub fn new(options: HasherOptions) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or(cores).clamp(1, cores);
        Ok(Self {
            cost: options.cost,
            pool: Pool::new("password", threads, options.queue, move || Scratch::keeping(options.cost))?,
        })
    }

    /// Runs the work on one of the threads.
    async fn run<T: Send + 'static>(
        &self,
        share: QueueShare,
        work: impl FnOnce(&mut Scratch) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, HashError> {
        match self.pool.run(share, work).await {
            Ok(done) => done.map_err(HashError::Failed),
            Err(PoolError::Full { retry_after }) => Err(HashError::Overloaded { retry_after }),
            Err(PoolError::Lost) => Err(HashError::Failed("the work on a password was lost".into())),
        }
    }
}

#[async_trait]
impl PasswordHasher for BoundedHasher {
    async fn hash(&self, password: &CheckedPassword, share: QueueShare) -> Result<PasswordHash, HashError> {
        let (cost, password) = (self.cost, copy(password.raw()));
        self.run(share, move |scratch| hash(&password, cost, scratch)).await
    }

    /// A password that [is too long](RawPassword::is_too_long) is wrong, and none of it is hashed.
    async fn verify(&self, password: &RawPassword, hash: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        let cost = self.cost;
        let (password, hash) =
            if password.is_too_long() { (Zeroizing::default(), None) } else { (copy(password), hash.cloned()) };
        self.run(QueueShare::Whole, move |scratch| verify(&password, hash.as_ref(), cost, scratch)).await
    }
}

/// Why the work could not be done: memory or randomness ran out.
type WorkError = Box<dyn Error + Send + Sync>;

/// A copy that outlives the request and is wiped when the work is done.
fn copy(password: &RawPassword) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.expose().as_bytes().to_vec())
}

/// A hash with a new salt, in Django's form.
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
            // The answer is known; its time must not be. After a right password the caller hashes it anew.
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

    /// SEC-081. That Argon2 was computed at today's cost shows in the memory that it leaves behind.
    #[test]
    fn a_wrong_answer_costs_one_hash_of_today_at_least() {
        let current = hash(b"right", cost(), &mut Scratch::keeping(cost())).unwrap();
        let current = current.expose();
        let cheaper = hash(b"right", Argon2Cost::new(8, 1, 1).unwrap(), &mut Scratch::keeping(cost())).unwrap();
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
            let mut scratch = Scratch::keeping(cost());
            let stored = stored.map(PasswordHash::new);
            assert_eq!(verify(b"wrong", stored.as_ref(), cost(), &mut scratch).unwrap(), Verdict::Wrong);
            assert_eq!(scratch.kept_kib(), 64, "{:?}", stored.as_ref().map(PasswordHash::expose));
        }
    }

    #[test]
    fn memory_is_kept_for_todays_cost_wiped_and_given_back_beyond_it() {
        let mut scratch = Scratch::keeping(cost());
        assert_eq!(scratch.kept_kib(), 0);
        hash(b"password", cost(), &mut scratch).unwrap();
        assert_eq!((scratch.kept_kib(), scratch.is_wiped()), (64, true));
        let larger = hash(b"password", Argon2Cost::new(128, 1, 1).unwrap(), &mut Scratch::keeping(cost())).unwrap();
        assert_eq!(verify(b"password", Some(&larger), cost(), &mut scratch).unwrap(), Verdict::RightButOutdated);
        assert_eq!(scratch.kept_kib(), 0);
    }

    /// What another password left in the memory does not matter.
    #[test]
    fn kept_memory_does_not_change_a_hash() {
        let mut scratch = Scratch::keeping(cost());
        let salt = [7; SALT_LEN];
        let fresh = create(b"password", &salt, cost(), &mut Scratch::keeping(cost())).unwrap();
        for other in [&b"another"[..], b"password"] {
            create(other, &salt, cost(), &mut scratch).unwrap();
            assert_eq!(create(b"password", &salt, cost(), &mut scratch).unwrap(), fresh);
        }
    }

    /// REL-016: the refusal comes at once and says when to come back.
    #[tokio::test]
    async fn a_full_queue_is_overload() {
        let hasher = one_thread();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let poll = |future: Pin<&mut dyn Future<Output = Result<Verdict, HashError>>>| {
            future.poll(&mut Context::from_waker(Waker::noop()))
        };
        let mut running = std::pin::pin!(hasher.run(QueueShare::Whole, move |_| {
            begun.send(()).unwrap();
            // Ends also when the test does.
            Ok(gate.recv().map_or(Verdict::Wrong, |()| Verdict::Right))
        }));
        assert!(poll(running.as_mut()).is_pending());
        has_begun.recv().unwrap();
        let password = RawPassword::new("password");
        let mut waiting = std::pin::pin!(hasher.verify(&password, None));
        assert!(poll(waiting.as_mut()).is_pending());
        let refused = poll(hasher.verify(&password, None).as_mut());
        let Poll::Ready(Err(HashError::Overloaded { retry_after })) = refused else { panic!("{refused:?}") };
        assert!(retry_after.get() >= 1);
        open.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Verdict::Right);
        assert_eq!(waiting.await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_the_next_password_is_served() {
        let hasher = one_thread();
        let lost = hasher.run(QueueShare::Whole, |_| -> Result<(), WorkError> { panic!("part of the test") }).await;
        assert!(matches!(lost, Err(HashError::Failed(_))));
        assert_eq!(hasher.verify(&RawPassword::new("password"), None).await.unwrap(), Verdict::Wrong);
    }

    #[test]
    fn there_is_at_least_one_thread_and_at_most_one_for_each_core() {
        let cores = std::thread::available_parallelism().unwrap().get();
        for (asked, started) in [(None, cores), (Some(0), 1), (Some(1), 1), (Some(cores + 1), cores)] {
            let options = HasherOptions { cost: cost(), threads: asked, queue: 1 };
            assert_eq!(BoundedHasher::new(options).unwrap().pool.threads(), started, "{asked:?}");
        }
    }
}
