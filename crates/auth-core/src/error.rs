//! Errors.
//!
//! A client gets a status, chosen by the [kind](ErrorKind), and a stable [`code`](AuthError::code); the audit log gets
//! the variant, and the operator the chain of sources.

use std::error::Error;

use thiserror::Error;

use crate::time::Seconds;
use crate::token::TokenFault;

/// What an error means to the client, whatever the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller is not authenticated, or not by enough factors. HTTP: 401.
    Unauthenticated,
    /// The caller is not allowed to do this. HTTP: 403.
    Forbidden,
    /// The request is not valid. HTTP: 400.
    Invalid,
    /// A rate limit was reached. HTTP: 429.
    Throttled,
    /// A temporary failure: the same request may succeed later. HTTP: 503.
    Unavailable,
    /// A fault of the deployment, not of the request. HTTP: 500.
    Internal,
}

/// Why a use-case of tokens or sessions failed.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The presented token is not accepted.
    #[error("token refused: {0:?}")]
    Token(TokenFault),
    /// The user of a presented refresh token is inactive or does not exist.
    #[error("no active user for this token")]
    NoActiveAccount,
    /// A well-signed access token without a subject claim.
    #[error("the token has no subject")]
    SubjectMissing,
    /// A well-signed access token whose user does not exist.
    #[error("the user of the token does not exist")]
    UserNotFound,
    /// The user to authenticate is inactive.
    #[error("the user is inactive")]
    UserInactive,
    /// The user was changed or deleted while a session was being started: read the user again and retry.
    #[error("the account changed while the session was being started")]
    UserChanged,
    /// The user must authenticate with more than one factor.
    #[error("more than one authentication factor is required")]
    MultiFactorRequired,
    /// The user has no subject: tokens name users by email address, and that of this user is not a login name.
    #[error("the user has no value for the subject of a token")]
    NoSubject,
    /// The password was changed after the session of the access token started.
    #[error("the password was changed")]
    PasswordChanged,
    /// A logout request that does not say which sessions to end.
    #[error("the request names no session to log out of")]
    NothingNamed,
    /// A logout of all other sessions with an access token that belongs to no session.
    #[error("the access token belongs to no session")]
    NoOwnSession,
    /// A logout with another user's refresh token (SEC-033).
    #[error("the refresh token belongs to another user")]
    TokenOfAnotherUser,
    /// The storage failed.
    #[error("storage failed")]
    Store(#[source] StoreError),
    /// A dependency other than the storage did not answer, such as a claims provider or the JWK set of another issuer.
    /// The same request may succeed later.
    #[error("a dependency is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Signing or hashing failed: a fault of the deployment, not of the request.
    #[error("signing or hashing failed")]
    Crypto(#[source] Box<dyn Error + Send + Sync>),
}

impl AuthError {
    /// The kind of error, which decides the status of the response.
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
            Self::NothingNamed | Self::NoOwnSession | Self::TokenOfAnotherUser => ErrorKind::Invalid,
            Self::Store(StoreError::Unavailable(_)) | Self::Unavailable(_) | Self::UserChanged => {
                ErrorKind::Unavailable
            }
            Self::Store(StoreError::Broken(_)) | Self::Crypto(_) => ErrorKind::Internal,
        }
    }

    /// The stable code, for clients. A released code never changes its meaning.
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
            Self::TokenOfAnotherUser => "token_of_another_user",
            Self::Store(StoreError::Unavailable(_)) | Self::Unavailable(_) | Self::UserChanged => {
                TEMPORARILY_UNAVAILABLE
            }
            Self::Store(StoreError::Broken(_)) | Self::Crypto(_) => "internal_error",
        }
    }

    /// How long a client should wait before a retry; `None` unless the kind is [`ErrorKind::Unavailable`].
    pub const fn retry_after(&self) -> Option<Seconds> {
        match self.kind() {
            ErrorKind::Unavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

/// The code of temporary failures ([`ErrorKind::Unavailable`]).
pub const TEMPORARILY_UNAVAILABLE: &str = "temporarily_unavailable";
/// How long a client is asked to wait before it retries after a temporary failure.
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

/// Why a storage failed. A missing row is not an error.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The storage is unreachable or too slow, or all its connections are in use. The same request may succeed later.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage violated its contract: a fault of the deployment.
    #[error("the storage returned an unexpected result")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A temporary failure.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// A violation of the contract.
    pub fn broken(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(source.into())
    }
}
