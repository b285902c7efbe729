//! Password hashing.

use std::error::Error;

use async_trait::async_trait;
use auth_core::error::AuthError;
use auth_core::time::Seconds;

use crate::error::AccountError;
use crate::password::{CheckedPassword, PasswordHash, RawPassword};

/// What a comparison of a password with a hash found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another password.
    Wrong,
    /// The password.
    Right,
    /// The password, in a hash of another algorithm or cost than is wanted today.
    RightButOutdated,
}

/// Why nothing was hashed.
#[derive(Debug)]
pub enum HashError {
    /// Too many passwords are waiting already; try again in so long.
    Overloaded {
        /// When to try again.
        retry_after: Seconds,
    },
    /// The library or the machine failed.
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

/// How much of the queue for hashing may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueShare {
    /// All of it.
    Whole,
    /// Half of it: for work that any stranger can cause, so that logins always find room.
    Half,
}

/// Hashes passwords, slowly on purpose, and never on a thread that serves requests.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// A hash of a new password, at today's cost. Those for [`QueueShare::Half`] must never fill more than half of what
    /// may wait: beyond that they are [`HashError::Overloaded`].
    async fn hash(&self, password: &CheckedPassword, share: QueueShare) -> Result<PasswordHash, HashError>;

    /// Compares a password with a stored hash. With `None` (there is no such account) it does the work of one
    /// comparison at today's cost all the same, so that time tells nothing (SEC-081), and finds it wrong.
    async fn verify(&self, password: &RawPassword, hash: Option<&PasswordHash>) -> Result<Verdict, HashError>;
}
