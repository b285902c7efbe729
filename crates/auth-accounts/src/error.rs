//! Why something could not be done with an account.

use auth_core::error::{AuthError, ErrorKind, StoreError, TEMPORARILY_UNAVAILABLE};
use auth_core::time::Seconds;
use auth_core::token::TokenFault;
use thiserror::Error;

use crate::account::AccountFault;

/// Why something was refused that concerns an account, or why it could not be done.
#[derive(Debug, Error)]
pub enum AccountError {
    /// What the token half answered.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// No active account has these credentials. Unknown name, wrong password and inactive account are one answer.
    #[error("no active account with these credentials")]
    BadCredentials,
    /// What was asked of an account cannot be.
    #[error("account refused: {0:?}")]
    Account(AccountFault),
    /// Too much password hashing is waiting already; worth trying again after so long.
    #[error("password hashing is busy; retry in {} s", retry_after.get())]
    Overloaded {
        /// When to try again.
        retry_after: Seconds,
    },
    /// Too many attempts: this one was not looked at.
    #[error("too many attempts; retry in {} s", retry_after.get())]
    Throttled {
        /// When to try again; at least one second.
        retry_after: Seconds,
    },
    /// Too many registrations from one client IP: nothing of this one was stored or looked up.
    #[error("too many registrations from one client IP; retry in {} s", retry_after.get())]
    TooManyRegistrations {
        /// When to try again; at least one second.
        retry_after: Seconds,
    },
    /// Right credentials of an account whose email address has to be verified first.
    #[error("the email address is not verified")]
    EmailNotVerified,
    /// A challenge that is not ours, not for this, or was used; or whose time or attempts are over.
    #[error("the challenge is not valid")]
    ChallengeInvalid,
    /// A second factor is on, and no challenge was answered.
    #[error("no challenge was answered")]
    ChallengeMissing,
    /// The code does not answer the challenge.
    #[error("the code is wrong")]
    WrongCode,
    /// The user does not have this second factor.
    #[error("the user does not have this second factor")]
    NoSecondFactor,
    /// The second factor cannot be switched on here.
    #[error("the second factor cannot be switched on")]
    MethodUnavailable,
    /// The token of a link that takes a login to the account: it has second factors.
    #[error("the link takes a login to the account")]
    LoginRequired,
    /// The token of a link was not issued here, is for another purpose, was used, or has expired.
    #[error("the token of the link is not valid")]
    BadLink,
    /// What was asked for takes the password, and none was given.
    #[error("the password is missing")]
    PasswordMissing,
    /// A logged-in user gave a wrong password.
    #[error("the password is wrong")]
    WrongPassword,
}

impl AccountError {
    /// The kind of error, which decides the status of the answer.
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

    /// The stable code, for programs.
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
