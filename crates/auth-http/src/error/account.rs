//! How the errors of accounts are answered.

use std::time::Duration;

use actix_web::http::StatusCode;
use auth_accounts::AccountError;
use auth_accounts::account::{AccountFault, Taken};
use auth_accounts::password::{Attribute, PasswordFlaw};

use super::{ApiError, DetailBody, Explanation, FieldErrors};

/// What an endpoint calls its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldNames {
    /// That of the password that somebody has.
    pub password: &'static str,
    /// That of the one they want.
    pub new_password: &'static str,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self { password: "password", new_password: "new_password" }
    }
}

impl ApiError {
    /// Why a use-case failed that looks after an account. What is wrong with a field is said of the field.
    pub(crate) fn at_account_path(error: AccountError, names: FieldNames, explanation: Explanation<'_>) -> Self {
        let of = |field, message: &str| Self::fields(FieldErrors::of(field, message));
        match error {
            AccountError::PasswordMissing => of(names.password, "This field is required."),
            AccountError::WrongPassword => of(names.password, "Wrong password."),
            AccountError::Account(AccountFault::WeakPassword(flaws)) => {
                let mut errors = FieldErrors::default();
                errors.add(names.new_password, flaws.into_iter().map(password_message).collect());
                Self::fields(errors)
            }
            AccountError::Account(fault) => match account_field(&fault, TakenWording::Profile) {
                Some((field, message)) => of(field, message),
                None => Self::at_guarded_path(fault, explanation),
            },
            AccountError::BadLink => of("token", "Token is invalid or expired."),
            AccountError::WrongCode => of("code", "Invalid code."),
            AccountError::ChallengeInvalid => of("challenge", "Challenge is invalid or expired."),
            AccountError::ChallengeMissing => of("challenge", "This field is required."),
            AccountError::NoSecondFactor => of("method", "This second factor is not on."),
            AccountError::EmailNotVerified => of("method", "Verify your email address first."),
            AccountError::MethodUnavailable => of("method", "This second factor is not available here."),
            other => Self::at_guarded_path(other, explanation),
        }
    }

    /// What the services of accounts answer, where nothing more can be said. Exhaustive, as [`from_auth`](Self::from_auth).
    pub(super) fn from_account(error: AccountError, reasons: bool) -> Self {
        let refuse = |detail: &str, code| {
            let body = DetailBody { detail: detail.to_owned(), code, ..DetailBody::default() };
            Self::with_body(StatusCode::UNAUTHORIZED, body)
        };
        let code = Some(error.code());
        match error {
            AccountError::Auth(error) => Self::from_auth(error, reasons),
            AccountError::BadCredentials => refuse("No active account found with the given credentials", None),
            AccountError::EmailNotVerified => refuse("E-mail address is not verified.", code),
            AccountError::LoginRequired => {
                refuse("Log in to verify this address: the account has a second factor.", code)
            }
            AccountError::ChallengeInvalid => refuse("Challenge is invalid or expired.", code),
            AccountError::WrongCode => refuse("Invalid code.", code),
            AccountError::Throttled { retry_after } => Self::throttled(Duration::from_secs(retry_after.get())),
            AccountError::TooManyRegistrations { retry_after } => Self::too_many_registrations(retry_after.get()),
            AccountError::Overloaded { retry_after } => Self::unavailable(retry_after.get()),
            // Answered by the endpoints where they can occur.
            AccountError::Account(_)
            | AccountError::ChallengeMissing
            | AccountError::NoSecondFactor
            | AccountError::MethodUnavailable
            | AccountError::BadLink
            | AccountError::PasswordMissing
            | AccountError::WrongPassword => Self::failure(&error),
        }
    }
}

/// Which spelling of "taken" an endpoint uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TakenWording {
    /// Registration.
    Registration,
    /// The profile.
    Profile,
}

/// The field that an account fault concerns, with its message.
pub(crate) fn account_field(fault: &AccountFault, wording: TakenWording) -> Option<(&'static str, &'static str)> {
    match (fault, wording) {
        (AccountFault::Taken(Taken::Username), TakenWording::Registration) => {
            Some(("username", "User with this username already exists."))
        }
        (AccountFault::Taken(Taken::Email), TakenWording::Registration) => {
            Some(("email", "User with this email already exists."))
        }
        (AccountFault::Taken(Taken::Username), TakenWording::Profile) => {
            Some(("username", "A user with that username already exists."))
        }
        (AccountFault::Taken(Taken::Email), TakenWording::Profile) => {
            Some(("email", "user with this email address already exists."))
        }
        _ => None,
    }
}

/// The text for a refused value of a field.
pub(crate) fn value_message(fault: &AccountFault) -> String {
    match fault {
        AccountFault::BadUsername => "Enter a valid username. This value may contain only letters, numbers, and \
                                      @/./+/-/_ characters."
            .to_owned(),
        AccountFault::BadEmail => "Enter a valid email address.".to_owned(),
        AccountFault::BadPersonName => "Control characters are not allowed.".to_owned(),
        AccountFault::TooLong(limit) => format!("Ensure this field has no more than {limit} characters."),
        _ => "Enter a valid value.".to_owned(),
    }
}

/// The text for what is wrong with a password.
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
        _ => "Enter another password.".to_owned(),
    }
}
