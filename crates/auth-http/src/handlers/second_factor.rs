//! `/api/token/second-factor/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_core::service::Issued;
use utoipa::ToSchema;

use super::login::TokenPairBody;
use super::sliding;
use crate::app::AccountApp;
use crate::body::{Body, FieldReader, TEXT};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};

/// The answer to a challenge.
#[derive(ToSchema)]
pub(crate) struct SecondFactorBody {
    /// The challenge from the response to the login.
    challenge: String,
    /// A 6-digit code from an email or an authenticator, or a recovery code.
    code: String,
}

impl SecondFactorBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        let (challenge, code) = (reader.required("challenge", TEXT), reader.required("code", TEXT));
        Some(Self { challenge: challenge?, code: code? })
    }
}

/// Completes a login with a second factor.
#[utoipa::path(post, path = "/api/token/second-factor/", tag = "token", operation_id = "token_second_factor",
    request_body(content(
        (SecondFactorBody = "application/json"), (SecondFactorBody = "application/x-www-form-urlencoded"),
        (SecondFactorBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "A token pair, as from a login without a second factor.", body = TokenPairBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The code is wrong, or the challenge has been used or has expired.", body = DetailBody),
        (status = 429, description = "Too many codes for the user or from the client IP; see Retry-After.",
            body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn answer(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let SecondFactorBody { challenge, code } = body.read(SecondFactorBody::read)?;
    let (service, client) = (app.clone(), client(&request));
    let issued =
        run_to_completion(async move { service.logins.answer_challenge(&challenge, &code, client).await }).await?;
    match issued.map_err(|error| ApiError::at_login(error, app.settings.reasons))? {
        Issued::Pair(pair) => Ok(HttpResponse::Ok().json(TokenPairBody::from(pair))),
        Issued::Sliding(token) => Ok(sliding::answer(token)),
    }
}
