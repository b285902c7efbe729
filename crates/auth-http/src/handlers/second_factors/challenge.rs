//! `/api/users/me/second-factors/challenge/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::service::SecondFactorChallenge;

use super::refuse;
use crate::app::AccountApp;
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, ChallengeBody, DetailBody};
use crate::guard::CurrentUser;

/// Starts a challenge for an operation that requires a second factor. If the user gets codes by email, one is sent.
#[utoipa::path(post, path = "/api/users/me/second-factors/challenge/", tag = "second factors",
    operation_id = "second_factors_challenge", security(("bearer" = [])),
    responses(
        (status = 200, description = "A challenge.", body = ChallengeBody),
        (status = 400, description = "The user has no second factor.", body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many emails; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn challenge(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
) -> Result<HttpResponse, ApiError> {
    let (service, client) = (app.clone(), client(&request));
    let started =
        run_to_completion(async move { service.second_factors.challenge(caller.user(), &client).await }).await?;
    let SecondFactorChallenge { challenge, methods } = started.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(ChallengeBody::new(&challenge, &methods)))
}
