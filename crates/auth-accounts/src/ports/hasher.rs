//! Password hashing.

use std::error::Error;

use async_trait::async_trait;
use auth_core::error::AuthError;
use auth_core::time::Seconds;

use crate::error::AccountError;
use crate::password::{CheckedPassword, PasswordHash, RawPassword};

/// The outcome of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but the algorithm or cost of its hash is outdated.
    RightButOutdated,
}

/// Why a password was not hashed or compared.
#[derive(Debug)]
pub enum HashError {
    /// The queue is full.
    Overloaded {
        /// How long to wait before trying again.
        retry_after: Seconds,
    },
    /// The hashing library or the operating system failed.
    Failed(Box<dyn Error + Send + Sync>),
}

impl From<HashError> for AccountError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            HashError::Failed(source) => Self::Auth(AuthError::Crypto(source)),
        }
    }
}

/// How much of the queue for hashing a caller may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueShare {
    /// All of it.
    Whole,
    /// Half of it. For work that clients without an account can cause, so that there is always room for logins.
    Half,
}

/// Password hashing, which is deliberately slow and never runs on a thread that serves requests.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password at the current cost.
    ///
    /// # Errors
    /// [`HashError::Overloaded`] if the queue is full; with [`QueueShare::Half`], if half of it is.
    async fn hash(&self, password: &CheckedPassword, share: QueueShare) -> Result<PasswordHash, HashError>;

    /// Compares a password with a stored hash. With `None` (the account does not exist), does the work of one comparison at the
    /// current cost and returns [`Verdict::Wrong`], so that the timing does not reveal whether an account exists (SEC-081).
    ///
    /// # Errors
    /// [`HashError::Overloaded`] if the queue is full.
    async fn verify(&self, password: &RawPassword, hash: Option<&PasswordHash>) -> Result<Verdict, HashError>;
}
