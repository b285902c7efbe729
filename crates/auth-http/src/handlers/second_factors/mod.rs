//! `/api/users/me/second-factors/`: listing, adding and removing second factors.

pub(crate) mod challenge;
pub(crate) mod enrolment;
mod reauthentication;
pub(crate) mod recovery_codes;
pub(crate) mod removal;
pub(crate) mod status;

pub(super) use reauthentication::reauthentication;

use crate::app::AccountApp;
use crate::error::{ApiError, FieldNames};

fn refuse(error: auth_accounts::AccountError, app: &AccountApp) -> ApiError {
    ApiError::at_account_path(error, FieldNames::default(), app.explanation())
}
