//! `/api/token/verify/`.

use actix_web::{HttpResponse, web};
use auth_core::token::RawToken;
use utoipa::ToSchema;

use super::EmptyBody;
use crate::app::App;
use crate::body::{Body, FieldReader, TEXT};
use crate::error::{ApiError, DetailBody, NonFieldErrorsBody};

/// A token of any kind.
#[derive(ToSchema)]
pub(crate) struct VerifyBody {
    /// A token of any kind.
    token: String,
}

impl VerifyBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { token: reader.required("token", TEXT)? })
    }
}

/// Says whether a token of any kind is good.
#[utoipa::path(post, path = "/api/token/verify/", tag = "token", operation_id = "token_verify",
    request_body(content(
        (VerifyBody = "application/json"), (VerifyBody = "application/x-www-form-urlencoded"),
        (VerifyBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "It is.", body = EmptyBody),
        (status = 400, description = "The token was taken out of use, or the body is malformed or misses a field.",
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
