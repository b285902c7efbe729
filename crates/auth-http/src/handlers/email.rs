//! `/api/email/verify/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::AccountError;
use auth_core::token::RawToken;
use utoipa::ToSchema;

use super::SuccessBody;
use super::password::EmailBody;
use crate::app::AccountApp;
use crate::body::{Body, FieldReader, TEXT};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody, FieldNames};

/// The token of a link.
#[derive(ToSchema)]
pub(crate) struct LinkBody {
    /// The token of the link.
    token: String,
}

impl LinkBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { token: reader.required("token", TEXT)? })
    }
}

/// Verifies an email address with the token of a link; a pending change of the address takes effect.
///
/// If the account has a second factor, the request must also carry an access token of the account; otherwise credentials are
/// ignored.
#[utoipa::path(post, path = "/api/email/verify/", tag = "accounts", operation_id = "email_verify",
    security((), ("bearer" = [])),
    request_body(content(
        (LinkBody = "application/json"), (LinkBody = "application/x-www-form-urlencoded"),
        (LinkBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The email address is verified.", body = SuccessBody),
        (status = 401, description = "The account has a second factor: log in and send the request again with the \
            access token. The token of the link stays good.", body = DetailBody),
        (status = 400, description = "The token is not good, or the address is another account's by now.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn verify(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let LinkBody { token } = body.read(LinkBody::read)?;
    let (service, client, presented) = (app.clone(), client(&request), access_token(&request, &app));
    let verified = run_to_completion(async move {
        // Credentials are read only if the link requires them, so that an expired access token does no harm otherwise.
        match (service.accounts.verify_email(&token, None, &client).await, presented) {
            (Err(AccountError::LoginRequired), Some(presented)) => {
                let caller = service.tokens.authenticate(&presented).await?;
                service.accounts.verify_email(&token, Some(&caller), &client).await
            }
            (outcome, _) => outcome,
        }
    });
    let verified = verified.await?;
    verified.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    Ok(HttpResponse::Ok().json(SuccessBody::new("Email address verified.")))
}

/// Returns the access token of the request, if there is a well-formed one.
fn access_token(request: &HttpRequest, app: &AccountApp) -> Option<RawToken> {
    app.settings.credentials.token(request.headers()).ok().flatten()?.ok()
}

/// Sends another link to verify an email address, if it is the unverified address of a user. The answer is the same otherwise.
#[utoipa::path(post, path = "/api/email/verify/resend/", tag = "accounts", operation_id = "email_verify_resend",
    request_body(content(
        (EmailBody = "application/json"), (EmailBody = "application/x-www-form-urlencoded"),
        (EmailBody = "multipart/form-data"))),
    responses(
        (status = 202, description = "The request is accepted, whether or not there is such a user.", body = SuccessBody),
        (status = 400, description = "Not an email address.", body = std::collections::HashMap<String, Vec<String>>),
        (status = 429, description = "Too many requests; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn resend(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (email, client) = (body.read(EmailBody::read)?.email()?, client(&request));
    let service = app.clone();
    let requested =
        run_to_completion(async move { service.accounts.request_verification(&email, &client).await }).await?;
    requested.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    let message =
        "If an account exists for this email address and the address is not verified, we have sent a message to it.";
    Ok(HttpResponse::Accepted().json(SuccessBody::new(message)))
}
