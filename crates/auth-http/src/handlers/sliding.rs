//! `/api/token/sliding/` and `/api/token/sliding/refresh/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_core::service::SignedToken;
use auth_core::token::RawToken;
use serde::Serialize;
use utoipa::ToSchema;

use super::login::{LoginBody, tokens};
use crate::app::{AccountApp, App};
use crate::body::{Body, FieldReader, TEXT};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, ChallengedBody, DetailBody};

/// A sliding token to be refreshed.
#[derive(ToSchema)]
pub(crate) struct SlidingBody {
    /// A sliding token.
    token: String,
}

impl SlidingBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { token: reader.required("token", TEXT)? })
    }
}

/// A sliding token.
#[derive(Serialize, ToSchema)]
pub(crate) struct SlidingTokenBody {
    /// Gives access to guarded routes, and is exchanged for its successor.
    token: String,
}

pub(super) fn answer(token: SignedToken) -> HttpResponse {
    HttpResponse::Ok().json(SlidingTokenBody { token: token.into_exposed() })
}

/// Starts a session with a sliding token.
#[utoipa::path(post, path = "/api/token/sliding/", tag = "token", operation_id = "token_obtain_sliding",
    request_body(content(
        (LoginBody = "application/json"), (LoginBody = "application/x-www-form-urlencoded"),
        (LoginBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "A sliding token.", body = SlidingTokenBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "As for a login that returns a token pair.", body = ChallengedBody),
        (status = 429, description = "As for a login that returns a token pair.", body = DetailBody),
        (status = 404, description = "Sliding tokens are not in use here.", body = DetailBody),
        (status = 503, description = "The storage is unavailable, or too many logins are waiting; see Retry-After.",
            body = DetailBody)))]
pub(crate) async fn login(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (name, password) = LoginBody::credentials(body, app.settings.password_rules())?;
    let (service, client) = (app.clone(), client(&request));
    let outcome =
        run_to_completion(async move { service.logins.login_sliding(&name, &password, client).await }).await?;
    tokens(outcome, &app).map(answer)
}

/// Exchanges a sliding token for one that expires later.
#[utoipa::path(post, path = "/api/token/sliding/refresh/", tag = "token", operation_id = "token_refresh_sliding",
    request_body(content(
        (SlidingBody = "application/json"), (SlidingBody = "application/x-www-form-urlencoded"),
        (SlidingBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The next sliding token.", body = SlidingTokenBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The token is invalid, expired or revoked, its refresh period is over, or its \
            account is inactive.", body = DetailBody),
        (status = 404, description = "Sliding tokens are not in use here.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn refresh(app: web::Data<App>, body: Body) -> Result<HttpResponse, ApiError> {
    let refuse = |error| ApiError::at_token_endpoint(error, app.settings.reasons);
    let SlidingBody { token } = body.read(SlidingBody::read)?;
    let presented = RawToken::parse(&token).map_err(|fault| refuse(fault.into()))?;
    let service = app.clone();
    let token =
        run_to_completion(async move { service.tokens.refresh_sliding(&presented).await }).await?.map_err(refuse)?;
    Ok(answer(token))
}
