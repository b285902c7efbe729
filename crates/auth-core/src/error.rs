//! Why something was refused or could not be done.
//!
//! Three readers: a client gets a status and a stable code (chosen by the HTTP crate), the audit log the variant, an
//! operator the chain of sources.

use std::error::Error;
use std::fmt;

use crate::account::AccountFault;
use crate::service::SecondFactorChallenge;
use crate::time::Seconds;
use crate::token::TokenFault;

/// Why a use-case was refused, or why it could not be carried out.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthError {
    /// The presented token is not accepted.
    Token(TokenFault),
    /// No active account has these credentials. Unknown name, wrong password and inactive account are one answer.
    BadCredentials,
    /// The account of a presented refresh token is inactive, or there is none.
    NoActiveAccount,
    /// A well-signed access token that names no user at all.
    SubjectMissing,
    /// A well-signed access token whose user does not exist.
    UserNotFound,
    /// A well-signed access token whose user is inactive.
    UserInactive,
    /// The user was changed or deleted while a session was being started: read it and decide again.
    UserChanged,
    /// More than one authentication factor is required of the user.
    MultiFactorRequired,
    /// What was asked of an account cannot be.
    Account(AccountFault),
    /// A logout that names nothing to log out of.
    NothingNamed,
    /// A logout "of the others" by a token that belongs to no session, so that no session is "this one".
    NoOwnSession,
    /// A logout that presents another user's refresh token.
    ForeignToken,
    /// Too much password hashing is waiting already; worth trying again after so long.
    Overloaded {
        /// When to try again.
        retry_after: Seconds,
    },
    /// Too many attempts: this one was not looked at.
    Throttled {
        /// When to try again; at least one second.
        retry_after: Seconds,
    },
    /// Too many registrations from one client IP: nothing of this one was stored or looked up.
    TooManyRegistrations {
        /// When to try again; at least one second.
        retry_after: Seconds,
    },
    /// Right credentials of an account whose address has to be proven first.
    EmailNotVerified,
    /// Right credentials of an account that has to show a second factor too.
    SecondFactorRequired(Box<SecondFactorChallenge>),
    /// A challenge that is not ours, not for this, or was used; or whose time or attempts are over.
    ChallengeInvalid,
    /// A second factor is on, and no challenge was answered.
    ChallengeMissing,
    /// The code does not answer the challenge.
    WrongCode,
    /// There is no such second factor to work with.
    NoSecondFactor,
    /// The second factor cannot be switched on here.
    MethodUnavailable,
    /// The token of a link that takes a login to the account: it has second factors.
    LoginRequired,
    /// The token of a link that is not ours, not for this, or was used, or whose time is over.
    BadLink,
    /// What was asked for takes the password, and none was given.
    PasswordMissing,
    /// Somebody who is logged in did not know their password.
    WrongPassword,
    /// The password was changed after the session of the access token began.
    PasswordChanged,
    /// The storage could not do it.
    Store(StoreError),
    /// Something else that is needed did not answer, such as an enricher of claims or another issuer's keys: the same
    /// request may work in a moment.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// Signing or hashing failed: a fault of this installation, never of the request.
    Crypto(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(fault) => write!(f, "token refused: {fault:?}"),
            Self::BadCredentials => f.write_str("no active account with these credentials"),
            Self::NoActiveAccount => f.write_str("no active account for this token"),
            Self::SubjectMissing => f.write_str("the token names no user"),
            Self::UserNotFound => f.write_str("the user of the token does not exist"),
            Self::UserInactive => f.write_str("the user of the token is inactive"),
            Self::UserChanged => f.write_str("the user was changed while a session was being started"),
            Self::MultiFactorRequired => f.write_str("more than one authentication factor is required"),
            Self::Account(fault) => write!(f, "account refused: {fault:?}"),
            Self::NothingNamed => f.write_str("nothing named to log out of"),
            Self::NoOwnSession => f.write_str("the access token belongs to no session"),
            Self::ForeignToken => f.write_str("the refresh token belongs to another user"),
            Self::Overloaded { retry_after } => write!(f, "password hashing is busy; retry in {} s", retry_after.get()),
            Self::Throttled { retry_after } => write!(f, "too many attempts; retry in {} s", retry_after.get()),
            Self::TooManyRegistrations { retry_after } => {
                write!(f, "too many registrations from one client IP; retry in {} s", retry_after.get())
            }
            Self::EmailNotVerified => f.write_str("the address is not proven"),
            Self::SecondFactorRequired(_) => f.write_str("a second factor is required"),
            Self::ChallengeInvalid => f.write_str("the challenge is not valid"),
            Self::ChallengeMissing => f.write_str("no challenge was answered"),
            Self::WrongCode => f.write_str("the code is wrong"),
            Self::NoSecondFactor => f.write_str("there is no such second factor"),
            Self::MethodUnavailable => f.write_str("the second factor cannot be switched on"),
            Self::LoginRequired => f.write_str("the link takes a login to the account"),
            Self::BadLink => f.write_str("the token of the link is not valid"),
            Self::PasswordMissing => f.write_str("the password is missing"),
            Self::WrongPassword => f.write_str("the password is wrong"),
            Self::PasswordChanged => f.write_str("the password was changed"),
            Self::Store(_) => f.write_str("storage failed"),
            Self::Unavailable(_) => f.write_str("something that is needed does not answer"),
            Self::Crypto(_) => f.write_str("signing or hashing failed"),
        }
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(source) => Some(source),
            Self::Crypto(source) | Self::Unavailable(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

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

impl From<AccountFault> for AuthError {
    fn from(fault: AccountFault) -> Self {
        Self::Account(fault)
    }
}

/// Why a storage could not answer. "There is no such row" is never an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The storage is away, too slow, or has no connection free: the same request may work in a moment.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The storage answered something that it never should: a fault of this installation.
    Broken(Box<dyn Error + Send + Sync>),
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

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable(_) => "the storage is not available",
            Self::Broken(_) => "the storage answered something unexpected",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(source) | Self::Broken(source) => Some(source.as_ref()),
        }
    }
}
