//! Why a secret is refused, and why nothing was sealed or opened.

use std::fmt;

use crate::application_secret::ApplicationSecret;
use crate::key::KeyError;

/// Why an application secret is not built. No message contains a part of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationSecretError {
    /// A secret shorter than [`ApplicationSecret::MIN_SECRET_LEN`].
    #[error("{which} has {bytes} bytes; it needs at least {}", ApplicationSecret::MIN_SECRET_LEN)]
    TooShort {
        /// The one.
        which: WhichSecret,
        /// Its length.
        bytes: usize,
    },
    /// A secret that others know: [`KeyError::SecretPublished`] or [`KeyError::SecretIsKeyText`].
    #[error("{which}: {fault}")]
    NotSecret {
        /// The one.
        which: WhichSecret,
        /// Why.
        fault: KeyError,
    },
    /// The library failed.
    #[error("{which}: no keys could be derived")]
    NotDerived {
        /// The one.
        which: WhichSecret,
    },
}

/// One of the secrets that an application secret is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichSecret {
    /// The one that hashes and seals.
    Current,
    /// A former one, by its place: the first is 1.
    Former(usize),
}

impl fmt::Display for WhichSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the current application secret"),
            Self::Former(place) => write!(f, "former application secret {place}"),
        }
    }
}

/// Why something was not sealed, or is not opened: what is in the box of a `SealError`. For the operator; nothing in it
/// tells what was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// No randomness, or a text of more than 64 GiB.
    #[error("nothing could be sealed")]
    NotSealed,
    /// Too short to be anything sealed.
    #[error("this is nothing sealed: it is cut short")]
    CutShort,
    /// In a form that this release does not know.
    #[error("sealed in form {0}, which this release does not know")]
    UnknownForm(u8),
    /// Under a secret that is neither the current one nor a former one.
    #[error("sealed with a secret that is not configured here")]
    UnknownSecret,
    /// Altered since, or sealed for another context.
    #[error("altered, or sealed for something else")]
    Altered,
}
