//! `/api/token/verify/`.

use actix_web::{HttpResponse, web};
use auth_core::token::RawToken;
use utoipa::ToSchema;

use super::EmptyBody;
use crate::app::App;
use crate::body::{Body, FieldReader, TEXT};
use crate::error::{ApiError, DetailBody, NonFieldErrorsBody};

/// A token of any type.
#[derive(ToSchema)]
pub(crate) struct VerifyBody {
    /// A token of any type.
    token: String,
}

impl VerifyBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { token: reader.required("token", TEXT)? })
    }
}

/// Checks whether a token of any type is valid.
#[utoipa::path(post, path = "/api/token/verify/", tag = "token", operation_id = "token_verify",
    request_body(content(
        (VerifyBody = "application/json"), (VerifyBody = "application/x-www-form-urlencoded"),
        (VerifyBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The token is valid.", body = EmptyBody),
        (status = 400, description = "The token is revoked, or the body is malformed or misses a field.",
            body = NonFieldErrorsBody),
        (status = 401, description = "The token is invalid or expired.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn verify(app: web::Data<App>, body: Body) -> Result<HttpResponse, ApiError> {
    let refuse = |error| ApiError::at_verification(error, app.settings.reasons);
    let VerifyBody { token } = body.read(VerifyBody::read)?;
    let presented = RawToken::parse(&token).map_err(|fault| refuse(fault.into()))?;
    app.tokens.verify(&presented).await.map_err(refuse)?;
    Ok(HttpResponse::Ok().json(EmptyBody {}))
}
