//! Error responses: status, body and headers (docs/wire-contract.md, section 4).
//!
//! Every 401 has `WWW-Authenticate`, every 503 has `Retry-After`. No body shows internals (SEC-202).

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
