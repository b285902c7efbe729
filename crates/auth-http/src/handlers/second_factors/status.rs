//! `GET /api/users/me/second-factors/`.

use actix_web::{HttpResponse, web};
use auth_accounts::second_factor::Method;
use auth_accounts::service::FactorStatus;
use auth_core::time::UnixTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::refuse;
use crate::app::AccountApp;
use crate::error::{ApiError, DetailBody};
use crate::guard::CurrentUser;
use crate::moment::rfc_3339;

/// The second factors of the caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorsBody {
    /// Whether a login requires a second factor even if the user has none; codes are then sent by email.
    required: bool,
    /// The second factors of the user.
    methods: Vec<FactorBody>,
    /// The number of unused recovery codes.
    recovery_codes_left: usize,
}

/// A second factor of the user.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorBody {
    /// `email` or `totp`.
    method: &'static str,
    /// When it was added: RFC 3339, UTC.
    #[schema(format = DateTime)]
    since: String,
}

impl From<FactorStatus> for FactorsBody {
    fn from(status: FactorStatus) -> Self {
        let factor =
            |method: Method, since: UnixTime| FactorBody { method: method.name(), since: rfc_3339(since.into()) };
        let totp = status.factors.totp.as_ref().map(|totp| factor(Method::Totp, totp.since));
        let email = status.factors.email_since.map(|since| factor(Method::Email, since));
        Self {
            required: status.is_required,
            methods: totp.into_iter().chain(email).collect(),
            recovery_codes_left: status.factors.recovery_codes.len(),
        }
    }
}

/// Shows the second factors of the caller.
#[utoipa::path(get, path = "/api/users/me/second-factors/", tag = "second factors", operation_id = "second_factors_show",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The second factors.", body = FactorsBody),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn show(app: web::Data<AccountApp>, caller: CurrentUser) -> Result<HttpResponse, ApiError> {
    let status = app.second_factors.status(caller.user()).await.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(FactorsBody::from(status)))
}
