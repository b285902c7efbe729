//! `/api/users/me/second-factors/remove/`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::proof::FactorChangeBody;
use super::refuse;
use crate::app::AccountApp;
use crate::body::Body;
use crate::client::client;
use crate::detached::to_its_end;
use crate::error::{ApiError, DetailBody};
use crate::guard::CurrentUser;
use crate::handlers::ToldBody;

/// Switches a second factor off. With the last one the recovery codes go as well.
#[utoipa::path(post, path = "/api/users/me/second-factors/remove/", tag = "second factors",
    operation_id = "second_factors_remove", security(("bearer" = [])),
    request_body(content(
        (FactorChangeBody = "application/json"), (FactorChangeBody = "application/x-www-form-urlencoded"),
        (FactorChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "It is off.", body = ToldBody),
        (status = 400, description = "Password or code are wrong, or it was not on.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many attempts; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn remove(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let change = body.read(|reader| FactorChangeBody::read(reader, app.settings.password_rules()))?;
    let (method, shown) = change.into_parts(client(&request));
    let service = app.clone();
    let removed = to_its_end(async move { service.second_factors.remove(caller.user(), method, shown).await }).await?;
    removed.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(ToldBody::new("Second factor removed.")))
}
