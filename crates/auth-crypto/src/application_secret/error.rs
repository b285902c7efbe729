//! Errors of the application secret.

use std::fmt;

use crate::application_secret::ApplicationSecret;
use crate::key::KeyError;

/// Why an [`ApplicationSecret`] cannot be created. No message contains any part of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationSecretError {
    /// The secret is shorter than [`ApplicationSecret::MIN_SECRET_LEN`].
    #[error("{which} has {bytes} bytes; it needs at least {}", ApplicationSecret::MIN_SECRET_LEN)]
    TooShort {
        /// The secret.
        which: WhichSecret,
        /// Its length, in bytes.
        bytes: usize,
    },
    /// The secret is known to others: [`KeyError::SecretPublished`] or [`KeyError::SecretIsKey`].
    #[error("{which}: {fault}")]
    NotSecret {
        /// The secret.
        which: WhichSecret,
        /// The reason.
        fault: KeyError,
    },
    /// The library failed to derive keys.
    #[error("{which}: key derivation failed")]
    DerivationFailed {
        /// The secret.
        which: WhichSecret,
    },
}

/// One of the secrets passed to [`ApplicationSecret::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichSecret {
    /// The current secret, which hashes and seals.
    Current,
    /// A former secret, by its position, counted from 1.
    Former(usize),
}

impl fmt::Display for WhichSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the current application secret"),
            Self::Former(position) => write!(f, "former application secret {position}"),
        }
    }
}

/// Why a value could not be sealed or opened: the type inside a `SealError`. Meant for the operator; reveals nothing
/// about the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// No random bytes are available, or the value is longer than 64 GiB.
    #[error("sealing failed")]
    SealingFailed,
    /// The sealed value is shorter than its fixed parts.
    #[error("not a sealed value: too short")]
    Truncated,
    /// The sealed value has a format that this release does not support.
    #[error("sealed in format {0}, which this release does not support")]
    UnknownFormat(u8),
    /// The value was sealed with a secret that is neither the current one nor a former one.
    #[error("sealed with an application secret that is not configured")]
    UnknownSecret,
    /// The sealed value was the value was altered, or sealed for another context.
    #[error("the value was altered, or sealed for another context")]
    Altered,
}
