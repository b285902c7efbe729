//! `/api/token/refresh/`.

use actix_web::{HttpResponse, web};
use auth_core::service::SignedToken;
use auth_core::token::RawToken;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{Body, FieldReader, TEXT};
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};

/// A refresh token.
#[derive(ToSchema)]
pub(crate) struct RefreshBody {
    /// A refresh token.
    pub(super) refresh: String,
}

impl RefreshBody {
    pub(super) fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { refresh: reader.required("refresh", TEXT)? })
    }
}

/// A new token pair.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefreshedPairBody {
    /// A new access token.
    access: String,
    /// A new refresh token; the presented one is used. Absent where refresh tokens are not rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
}

/// Exchanges a refresh token for a new token pair.
#[utoipa::path(post, path = "/api/token/refresh/", tag = "token", operation_id = "token_refresh",
    request_body(content(
        (RefreshBody = "application/json"), (RefreshBody = "application/x-www-form-urlencoded"),
        (RefreshBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "A new pair.", body = RefreshedPairBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The token is not valid, expired, used or revoked, or its user is inactive.",
            body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn refresh(app: web::Data<App>, body: Body) -> Result<HttpResponse, ApiError> {
    let refuse = |error| ApiError::at_token_endpoint(error, app.settings.reasons);
    let RefreshBody { refresh } = body.read(RefreshBody::read)?;
    let presented = RawToken::parse(&refresh).map_err(|fault| refuse(fault.into()))?;
    let service = app.clone();
    let pair = run_to_completion(async move { service.tokens.refresh(&presented).await }).await?.map_err(refuse)?;
    let refresh = pair.refresh.map(SignedToken::into_exposed);
    let body = RefreshedPairBody { access: pair.access.into_exposed(), refresh };
    Ok(HttpResponse::Ok().json(body))
}
