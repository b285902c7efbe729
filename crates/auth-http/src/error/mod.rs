//! Refusals and failures on the wire: status, body and headers of the contract, section 4.
//!
//! Every 401 carries `WWW-Authenticate`, every 503 `Retry-After`. A body never shows what went wrong inside.

mod account;
mod api_error;
mod bodies;
mod field_errors;
mod token;

pub(crate) use account::{FieldNames, password_message, value_message};
pub use api_error::ApiError;
pub(crate) use api_error::OwnChallenge;
pub(crate) use bodies::{ChallengeBody, ChallengedBody, LogoutErrorBody, NonFieldErrorsBody};
pub use bodies::{DetailBody, TokenMessage};
pub use field_errors::FieldErrors;
pub(crate) use token::Explanation;
