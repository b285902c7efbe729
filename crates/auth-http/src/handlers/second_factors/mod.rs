//! `/api/users/me/second-factors/`: which are on, and how one is switched on or off.

pub(crate) mod challenge;
pub(crate) mod enrolment;
mod proof;
pub(crate) mod recovery_codes;
pub(crate) mod removal;
pub(crate) mod status;

pub(super) use proof::shown;

use crate::app::AccountApp;
use crate::error::{ApiError, FieldNames};

fn refuse(error: auth_accounts::AccountError, app: &AccountApp) -> ApiError {
    ApiError::at_account_path(error, FieldNames::default(), app.explanation())
}
