//! The errors of this crate.

use auth_core::error::{AuthError, ErrorKind, StoreError, TEMPORARILY_UNAVAILABLE};
use auth_core::time::Seconds;
use auth_core::token::TokenFault;
use thiserror::Error;

use crate::account::AccountFault;

/// Why an operation on an account was refused or failed.
#[derive(Debug, Error)]
pub enum AccountError {
    /// An error of `auth-core`.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// No active account has these credentials. An unknown login name, a wrong password and an inactive account give the same
    /// answer (SEC-080).
    #[error("no active account with these credentials")]
    BadCredentials,
    /// A field of the account is not valid or already taken.
    #[error("account refused: {0:?}")]
    Account(AccountFault),
    /// The queue for password hashing is full.
    #[error("password hashing is busy; retry in {} s", retry_after.get())]
    Overloaded {
        /// How long to wait before trying again.
        retry_after: Seconds,
    },
    /// Too many attempts; this one was not evaluated.
    #[error("too many attempts; retry in {} s", retry_after.get())]
    Throttled {
        /// How long to wait before trying again; at least one second.
        retry_after: Seconds,
    },
    /// Too many registrations from one client IP. Nothing was stored or looked up for this one.
    #[error("too many registrations from one client IP; retry in {} s", retry_after.get())]
    TooManyRegistrations {
        /// How long to wait before trying again; at least one second.
        retry_after: Seconds,
    },
    /// The credentials are right, but the email address of the account must be verified first.
    #[error("the email address is not verified")]
    EmailNotVerified,
    /// The challenge was not issued by this deployment, has another purpose, was used, has expired, or has no attempts left.
    #[error("the challenge is not valid")]
    ChallengeInvalid,
    /// A second factor is required, and the request did not answer a challenge.
    #[error("the challenge or its code is missing")]
    ChallengeMissing,
    /// The code is not the one that the challenge asks for.
    #[error("the code is wrong")]
    WrongCode,
    /// The user does not have this second factor.
    #[error("the user does not have this second factor")]
    NoSecondFactor,
    /// The second factor cannot be enabled for this user.
    #[error("the second factor cannot be enabled")]
    MethodUnavailable,
    /// Following the link requires a login to the account, because the account has second factors.
    #[error("the link requires a login to the account")]
    LoginRequired,
    /// The link token was not issued by this deployment, has another purpose, was used, or has expired.
    #[error("the link token is not valid")]
    BadLink,
    /// The request requires the password, and none was given.
    #[error("the password is missing")]
    PasswordMissing,
    /// A logged-in user gave a wrong password.
    #[error("the password is wrong")]
    WrongPassword,
}

impl AccountError {
    /// The kind of error, which decides the HTTP status code.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Auth(error) => error.kind(),
            Self::BadCredentials | Self::EmailNotVerified | Self::LoginRequired => ErrorKind::Unauthenticated,
            Self::Account(_)
            | Self::ChallengeInvalid
            | Self::ChallengeMissing
            | Self::WrongCode
            | Self::NoSecondFactor
            | Self::MethodUnavailable
            | Self::BadLink
            | Self::PasswordMissing
            | Self::WrongPassword => ErrorKind::Invalid,
            Self::Throttled { .. } | Self::TooManyRegistrations { .. } => ErrorKind::Throttled,
            Self::Overloaded { .. } => ErrorKind::Unavailable,
        }
    }

    /// The stable error code that clients match on.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Auth(error) => error.code(),
            Self::BadCredentials => "no_active_account",
            Self::Account(_) => "account_not_valid",
            Self::Overloaded { .. } => TEMPORARILY_UNAVAILABLE,
            Self::Throttled { .. } => "throttled",
            Self::TooManyRegistrations { .. } => "too_many_registrations",
            Self::EmailNotVerified => "email_not_verified",
            Self::ChallengeInvalid => "challenge_not_valid",
            Self::ChallengeMissing => "challenge_required",
            Self::WrongCode => "code_not_valid",
            Self::NoSecondFactor => "second_factor_not_on",
            Self::MethodUnavailable => "second_factor_unavailable",
            Self::LoginRequired => "login_required",
            Self::BadLink => "link_not_valid",
            Self::PasswordMissing => "password_required",
            Self::WrongPassword => "password_not_valid",
        }
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Auth(error.into())
    }
}

impl From<TokenFault> for AccountError {
    fn from(fault: TokenFault) -> Self {
        Self::Auth(fault.into())
    }
}

impl From<AccountFault> for AccountError {
    fn from(fault: AccountFault) -> Self {
        Self::Account(fault)
    }
}
