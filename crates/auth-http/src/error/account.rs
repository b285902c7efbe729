//! Conversion of account errors to responses.

use std::time::Duration;

use actix_web::http::StatusCode;
use auth_accounts::AccountError;
use auth_accounts::account::{AccountFault, Taken};
use auth_accounts::password::{Attribute, PasswordFlaw};

use super::{ApiError, Explanation, FieldErrors};

const REQUIRED: &str = "This field is required.";
const WRONG_PASSWORD: &str = "Wrong password.";
const WRONG_CODE: &str = "Invalid code.";
const CHALLENGE_INVALID: &str = "Challenge is invalid or expired.";

/// The names of the password fields of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldNames {
    /// The field of the current password.
    pub password: &'static str,
    /// The field of the new password.
    pub new_password: &'static str,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self { password: "password", new_password: "new_password" }
    }
}

impl ApiError {
    /// Converts an error of a login or a registration; `reasons`: whether the response includes a `reason`.
    pub(crate) fn at_login(error: AccountError, reasons: bool) -> Self {
        let code = error.code();
        match error {
            AccountError::Auth(error) => Self::at_token_endpoint(error, reasons),
            // At a login, a challenge and its code are credentials, like a password.
            AccountError::ChallengeInvalid => Self::coded(StatusCode::UNAUTHORIZED, CHALLENGE_INVALID, code),
            AccountError::WrongCode => Self::coded(StatusCode::UNAUTHORIZED, WRONG_CODE, code),
            other => other.into(),
        }
    }

    /// Converts an error of an endpoint for authenticated users or link tokens. An error about a field becomes a field error.
    pub(crate) fn at_account_path(error: AccountError, names: FieldNames, explanation: Explanation<'_>) -> Self {
        match error {
            AccountError::Auth(error) => Self::at_guarded_path(error, explanation),
            AccountError::PasswordMissing => Self::field(names.password, REQUIRED),
            AccountError::WrongPassword => Self::field(names.password, WRONG_PASSWORD),
            AccountError::Account(AccountFault::WeakPassword(flaws)) => Self::weak_password(names.new_password, flaws),
            AccountError::Account(AccountFault::Taken(taken)) => match taken {
                Taken::Username => Self::field("username", "A user with that username already exists."),
                Taken::Email => Self::field("email", "user with this email address already exists."),
            },
            AccountError::EmailNotVerified => Self::field("method", "Verify your email address first."),
            other => other.into(),
        }
    }

    /// Converts a refused value of an account.
    fn account_fault(fault: AccountFault) -> Self {
        match fault {
            AccountFault::Taken(Taken::Username) => Self::field("username", "User with this username already exists."),
            AccountFault::Taken(Taken::Email) => Self::field("email", "User with this email already exists."),
            AccountFault::BadUsername => Self::field("username", value_message(&fault)),
            AccountFault::BadEmail => Self::field("email", value_message(&fault)),
            AccountFault::WeakPassword(flaws) => Self::weak_password(FieldNames::default().new_password, flaws),
            // These do not name their field.
            fault => Self::non_field(value_message(&fault)),
        }
    }

    fn weak_password(field: &'static str, flaws: Vec<PasswordFlaw>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, flaws.into_iter().map(password_message).collect());
        Self::fields(errors)
    }

    fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::fields(FieldErrors::of(field, message))
    }
}

impl From<AccountError> for ApiError {
    /// Converts an error for handlers of a host that call the account services, without a `reason`. The status follows the
    /// [kind](AccountError::kind); a 400 uses the field names of this crate's endpoints.
    fn from(error: AccountError) -> Self {
        let code = error.code();
        let refuse = |detail: &str| Self::coded(StatusCode::UNAUTHORIZED, detail, code);
        let names = FieldNames::default();
        match error {
            AccountError::Auth(error) => error.into(),
            AccountError::BadCredentials => {
                Self::detail(StatusCode::UNAUTHORIZED, "No active account found with the given credentials")
            }
            AccountError::EmailNotVerified => refuse("Email address is not verified."),
            AccountError::LoginRequired => {
                refuse("Log in to verify this email address: the account has a second factor.")
            }
            AccountError::Account(fault) => Self::account_fault(fault),
            AccountError::PasswordMissing => Self::field(names.password, REQUIRED),
            AccountError::WrongPassword => Self::field(names.password, WRONG_PASSWORD),
            AccountError::BadLink => Self::field("token", "Token is invalid or expired."),
            AccountError::WrongCode => Self::field("code", WRONG_CODE),
            AccountError::ChallengeInvalid => Self::field("challenge", CHALLENGE_INVALID),
            AccountError::ChallengeMissing => Self::field("challenge", REQUIRED),
            AccountError::NoSecondFactor => Self::field("method", "This second factor is not enabled."),
            AccountError::MethodUnavailable => Self::field("method", "This second factor is not available here."),
            AccountError::Throttled { retry_after } => Self::throttled(Duration::from_secs(retry_after.get())),
            AccountError::TooManyRegistrations { retry_after } => Self::too_many_registrations(retry_after.get()),
            AccountError::Overloaded { retry_after } => Self::unavailable(retry_after.get()),
        }
    }
}

/// The message for a refused value of a field.
pub(crate) fn value_message(fault: &AccountFault) -> String {
    match fault {
        AccountFault::BadUsername => "Enter a valid username. This value may contain only letters, numbers, and \
                                      @/./+/-/_ characters."
            .to_owned(),
        AccountFault::BadEmail => "Enter a valid email address.".to_owned(),
        AccountFault::BadPersonName => "Control characters are not allowed.".to_owned(),
        AccountFault::TooLong(limit) => format!("Ensure this field has no more than {limit} characters."),
        // Unused: these have their own messages.
        AccountFault::Taken(_) | AccountFault::WeakPassword(_) => "Enter a valid value.".to_owned(),
    }
}

/// The message for a flaw of a password.
pub(crate) fn password_message(flaw: PasswordFlaw) -> String {
    match flaw {
        PasswordFlaw::TooSimilar(attribute) => {
            let name = match attribute {
                Attribute::Username => "username",
                Attribute::FirstName => "first name",
                Attribute::LastName => "last name",
                Attribute::Email => "email address",
                Attribute::ServiceName => "name of this service",
            };
            format!("The password is too similar to the {name}.")
        }
        PasswordFlaw::TooShort(limit) => {
            format!("This password is too short. It must contain at least {limit} characters.")
        }
        PasswordFlaw::TooLong(limit) => format!("Ensure this field has no more than {limit} characters."),
        PasswordFlaw::TooCommon => "This password is too common.".to_owned(),
        PasswordFlaw::EntirelyNumeric => "This password is entirely numeric.".to_owned(),
    }
}
