//! `/api/users/me/second-factors/remove/`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::reauthentication::FactorChangeBody;
use super::refuse;
use crate::app::AccountApp;
use crate::body::Body;
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};
use crate::guard::CurrentUser;
use crate::handlers::SuccessBody;

/// Removes a second factor. With the last one, the recovery codes are deleted too.
#[utoipa::path(post, path = "/api/users/me/second-factors/remove/", tag = "second factors",
    operation_id = "second_factors_remove", security(("bearer" = [])),
    request_body(content(
        (FactorChangeBody = "application/json"), (FactorChangeBody = "application/x-www-form-urlencoded"),
        (FactorChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The second factor is removed.", body = SuccessBody),
        (status = 400, description = "The password or code is wrong, or the user does not have this second factor.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many attempts; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn remove(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let change = body.read(|reader| FactorChangeBody::read(reader, app.settings.password_rules()))?;
    let (method, reauthentication) = change.into_parts(client(&request));
    let service = app.clone();
    let removed =
        run_to_completion(async move { service.second_factors.remove(caller.user(), method, reauthentication).await });
    removed.await?.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(SuccessBody::new("Second factor removed.")))
}
