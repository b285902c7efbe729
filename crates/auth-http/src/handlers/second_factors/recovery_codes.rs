//! `/api/users/me/second-factors/recovery-codes/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::second_factor::RecoveryCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::reauthentication::ReauthenticationBody;
use super::refuse;
use crate::app::AccountApp;
use crate::body::Body;
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};
use crate::guard::CurrentUser;

/// Ten new recovery codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodesBody {
    /// Shown only once; write them down.
    recovery_codes: Vec<String>,
}

/// Generates ten new recovery codes; the previous ones stop working.
#[utoipa::path(post, path = "/api/users/me/second-factors/recovery-codes/", tag = "second factors",
    operation_id = "second_factors_recovery_codes", security(("bearer" = [])),
    request_body(content(
        (ReauthenticationBody = "application/json"), (ReauthenticationBody = "application/x-www-form-urlencoded"),
        (ReauthenticationBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The new codes.", body = RecoveryCodesBody),
        (status = 400, description = "The password or code is wrong, or the user has no second factor.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many attempts; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn recovery_codes(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let body = body.read(|reader| ReauthenticationBody::read(reader, app.settings.password_rules()))?;
    let reauthentication = body.into_reauthentication(client(&request));
    let service = app.clone();
    let codes = run_to_completion(async move {
        service.second_factors.replace_recovery_codes(caller.user(), reauthentication).await
    });
    let codes = codes.await?.map_err(|error| refuse(error, &app))?;
    let recovery_codes = codes.iter().map(RecoveryCode::expose).collect();
    Ok(HttpResponse::Ok().json(RecoveryCodesBody { recovery_codes }))
}
