//! `/api/token/blacklist/`.

use actix_web::{HttpResponse, web};
use auth_core::token::RawToken;

use super::EmptyBody;
use super::refresh::RefreshBody;
use crate::app::App;
use crate::body::Body;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};

/// Revokes a refresh token and its session.
#[utoipa::path(post, path = "/api/token/blacklist/", tag = "token", operation_id = "token_blacklist",
    request_body(content(
        (RefreshBody = "application/json"), (RefreshBody = "application/x-www-form-urlencoded"),
        (RefreshBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The token and its session are revoked.", body = EmptyBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The token is invalid, expired or already revoked.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn blacklist(app: web::Data<App>, body: Body) -> Result<HttpResponse, ApiError> {
    let refuse = |error| ApiError::at_token_endpoint(error, app.settings.reasons);
    let RefreshBody { refresh } = body.read(RefreshBody::read)?;
    let presented = RawToken::parse(&refresh).map_err(|fault| refuse(fault.into()))?;
    let service = app.clone();
    run_to_completion(async move { service.tokens.blacklist(&presented).await }).await?.map_err(refuse)?;
    Ok(HttpResponse::Ok().json(EmptyBody {}))
}
