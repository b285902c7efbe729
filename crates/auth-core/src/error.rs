//! Why something was refused or could not be done.
//!
//! Three readers: a client gets a status and a stable [`code`](AuthError::code) (of a [kind](ErrorKind) that every
//! protocol has a status for), the audit log the variant, an operator the chain of sources.

use std::error::Error;

use thiserror::Error;

use crate::time::Seconds;
use crate::token::TokenFault;

/// What an error means to whoever made the request, whatever the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// It is not known who makes the request, or that is not known well enough. HTTP: 401.
    Unauthenticated,
    /// The user may not do this. HTTP: 403.
    Forbidden,
    /// The request cannot be carried out as it is. HTTP: 400.
    Invalid,
    /// There were too many requests. HTTP: 429.
    Throttled,
    /// The same request may work in a moment. HTTP: 503.
    Unavailable,
    /// A fault of this deployment, never of the request. HTTP: 500.
    Internal,
}

/// Why a token or a session was refused, or why something could not be done with it.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The presented token is not accepted.
    #[error("token refused: {0:?}")]
    Token(TokenFault),
    /// The user of a presented refresh token is inactive, or there is none.
    #[error("no active user for this token")]
    NoActiveAccount,
    /// A well-signed access token that names no user at all.
    #[error("the token names no user")]
    SubjectMissing,
    /// A well-signed access token whose user does not exist.
    #[error("the user of the token does not exist")]
    UserNotFound,
    /// A user who is to be authenticated is inactive.
    #[error("the user is inactive")]
    UserInactive,
    /// The user was changed or deleted while a session was being started: read it and decide again.
    #[error("the user was changed while a session was being started")]
    UserChanged,
    /// More than one authentication factor is required of the user.
    #[error("more than one authentication factor is required")]
    MultiFactorRequired,
    /// Tokens cannot name a user who is to be authenticated: they name users by email address, and this one has none to log in
    /// with.
    #[error("tokens cannot name the user")]
    NoSubject,
    /// The password was changed after the session of the access token started.
    #[error("the password was changed")]
    PasswordChanged,
    /// A logout that names nothing to log out of.
    #[error("nothing named to log out of")]
    NothingNamed,
    /// A logout "of the others" by a token that belongs to no session, so that no session is "this one".
    #[error("the access token belongs to no session")]
    NoOwnSession,
    /// A logout that presents another user's refresh token.
    #[error("the refresh token belongs to another user")]
    ForeignToken,
    /// The storage could not do it.
    #[error("storage failed")]
    Store(#[source] StoreError),
    /// Something else that is needed did not answer, such as a claims provider or another issuer's keys: the same request
    /// may work in a moment.
    #[error("something that is needed does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Signing or hashing failed: a fault of this deployment, never of the request.
    #[error("signing or hashing failed")]
    Crypto(#[source] Box<dyn Error + Send + Sync>),
}

impl AuthError {
    /// The kind of error, which decides the status of the answer.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Token(_)
            | Self::NoActiveAccount
            | Self::SubjectMissing
            | Self::UserNotFound
            | Self::UserInactive
            | Self::MultiFactorRequired
            | Self::NoSubject
            | Self::PasswordChanged => ErrorKind::Unauthenticated,
            Self::NothingNamed | Self::NoOwnSession | Self::ForeignToken => ErrorKind::Invalid,
            Self::Store(StoreError::Unavailable(_)) | Self::Unavailable(_) | Self::UserChanged => {
                ErrorKind::Unavailable
            }
            Self::Store(StoreError::Broken(_)) | Self::Crypto(_) => ErrorKind::Internal,
        }
    }

    /// The stable code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token(_) | Self::SubjectMissing => "token_not_valid",
            Self::NoActiveAccount => "no_active_account",
            Self::UserNotFound => "user_not_found",
            Self::UserInactive => "user_inactive",
            Self::MultiFactorRequired => "multi_factor_required",
            Self::NoSubject => "no_subject",
            Self::PasswordChanged => "password_changed",
            Self::NothingNamed => "nothing_named",
            Self::NoOwnSession => "no_own_session",
            Self::ForeignToken => "token_of_another_user",
            Self::Store(StoreError::Unavailable(_)) | Self::Unavailable(_) | Self::UserChanged => {
                TEMPORARILY_UNAVAILABLE
            }
            Self::Store(StoreError::Broken(_)) | Self::Crypto(_) => "internal_error",
        }
    }

    /// How long to wait before the same request may work; only of [`ErrorKind::Unavailable`].
    pub const fn retry_after(&self) -> Option<Seconds> {
        match self.kind() {
            ErrorKind::Unavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

/// The code of what may work in a moment.
pub const TEMPORARILY_UNAVAILABLE: &str = "temporarily_unavailable";
/// How long a client is asked to wait while something is unavailable: about what it takes to come back.
const RETRY_AFTER: Seconds = Seconds::new(2);

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TokenFault> for AuthError {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// Why a storage could not answer. "There is no such row" is never an error.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The storage cannot be reached, is too slow, or has no connection free: the same request may work in a moment.
    #[error("the storage is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage answered something that it never should: a fault of this deployment.
    #[error("the storage answered something unexpected")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The storage may work again in a moment.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// The storage answered something that it never should.
    pub fn broken(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(source.into())
    }
}
