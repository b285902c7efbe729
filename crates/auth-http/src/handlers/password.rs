//! `/api/users/me/password/` and `/api/password-reset/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::account::Email;
use auth_accounts::password::RawPassword;
use auth_accounts::service::PasswordChange;
use auth_core::service::Issued;
use auth_core::token::ClientInfo;
use serde::Serialize;
use utoipa::ToSchema;

use super::SuccessBody;
use super::second_factors::reauthentication;
use crate::app::AccountApp;
use crate::body::{Body, FieldErrors, FieldReader, TEXT, TextRules};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody, FieldNames, value_message};
use crate::guard::CurrentUser;

/// The password fields of a password change.
const CHANGE: FieldNames = FieldNames { password: "old_password", new_password: "new_password" };

/// The current password of the caller, and the new one.
#[derive(ToSchema)]
pub(crate) struct PasswordChangeBody {
    /// The current password.
    #[schema(format = Password)]
    old_password: String,
    /// The new password.
    #[schema(format = Password)]
    new_password: String,
    /// A challenge, if a login requires a second factor.
    challenge: Option<String>,
    /// The code for the challenge.
    code: Option<String>,
}

impl PasswordChangeBody {
    fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let (old_password, new_password) =
            (reader.required(CHANGE.password, password), reader.required(CHANGE.new_password, password));
        let (challenge, code) = (reader.optional("challenge", TEXT), reader.optional("code", TEXT));
        Some(Self { old_password: old_password?, new_password: new_password?, challenge, code })
    }

    fn into_change(self, client: ClientInfo) -> PasswordChange {
        let reauthentication = reauthentication(self.old_password, self.challenge.zip(self.code), client);
        PasswordChange { reauthentication, new: RawPassword::new(self.new_password) }
    }
}

/// A changed password, and the new tokens of the caller's session.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordChangedBody {
    /// What was done.
    detail: &'static str,
    /// The next refresh token; absent if the access token belongs to no session.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// The next access token; absent if the refresh token is.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<String>,
    /// The next sliding token, where those alone are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Changes the caller's password. The other sessions end; this one continues with new tokens.
#[utoipa::path(post, path = "/api/users/me/password/", tag = "accounts", operation_id = "password_change",
    security(("bearer" = [])),
    request_body(content(
        (PasswordChangeBody = "application/json"), (PasswordChangeBody = "application/x-www-form-urlencoded"),
        (PasswordChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The password is changed.", body = PasswordChangedBody),
        (status = 400, description = "The old password or the code is wrong, or the new password is too weak.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many wrong passwords or codes; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable, or too many passwords are waiting to be hashed; see Retry-After.",
            body = DetailBody)))]
pub(crate) async fn change(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let change = body.read(|reader| PasswordChangeBody::read(reader, app.settings.password_rules()))?;
    let change = change.into_change(client(&request));
    let service = app.clone();
    let changed = run_to_completion(async move { service.logins.change_password(caller.caller(), change).await });
    let issued = changed.await?.map_err(|error| ApiError::at_account_path(error, CHANGE, app.explanation()))?;
    let (refresh, access, token) = match issued {
        Some(Issued::Pair(pair)) => (Some(pair.refresh.into_exposed()), Some(pair.access.into_exposed()), None),
        Some(Issued::Sliding(token)) => (None, None, Some(token.into_exposed())),
        None => (None, None, None),
    };
    Ok(HttpResponse::Ok().json(PasswordChangedBody { detail: "Password changed.", refresh, access, token }))
}

/// The user whose password to reset.
#[derive(ToSchema)]
pub(crate) struct EmailBody {
    /// The email address; letter case is ignored.
    #[schema(max_length = 254, format = Email)]
    email: String,
}

impl EmailBody {
    pub(super) fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self { email: reader.required("email", TEXT)? })
    }

    pub(super) fn email(&self) -> Result<Email, ApiError> {
        Email::parse(&self.email).map_err(|fault| ApiError::fields(FieldErrors::of("email", value_message(&fault))))
    }
}

/// Sends a link to set a new password, if a user has this email address. The answer is the same otherwise.
#[utoipa::path(post, path = "/api/password-reset/", tag = "accounts", operation_id = "password_reset_request",
    request_body(content(
        (EmailBody = "application/json"), (EmailBody = "application/x-www-form-urlencoded"),
        (EmailBody = "multipart/form-data"))),
    responses(
        (status = 202, description = "The request is accepted, whether or not there is such a user.", body = SuccessBody),
        (status = 400, description = "Not an email address.", body = std::collections::HashMap<String, Vec<String>>),
        (status = 429, description = "Too many requests; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn request_reset(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (email, client) = (body.read(EmailBody::read)?.email()?, client(&request));
    let service = app.clone();
    let requested = run_to_completion(async move { service.accounts.request_reset(&email, &client).await }).await?;
    requested.map_err(|error| ApiError::at_account_path(error, CHANGE, app.explanation()))?;
    Ok(HttpResponse::Accepted()
        .json(SuccessBody::new("If an account exists for this email address, we have sent a message to it.")))
}

/// The token of a link, and the new password.
#[derive(ToSchema)]
pub(crate) struct ResetBody {
    /// The token of the link.
    token: String,
    /// The new password.
    #[schema(format = Password)]
    new_password: String,
}

impl ResetBody {
    fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let (token, new_password) = (reader.required("token", TEXT), reader.required("new_password", password));
        Some(Self { token: token?, new_password: new_password? })
    }
}

/// Sets a new password with the token of a link. All sessions of the user end.
#[utoipa::path(post, path = "/api/password-reset/confirm/", tag = "accounts", operation_id = "password_reset_confirm",
    request_body(content(
        (ResetBody = "application/json"), (ResetBody = "application/x-www-form-urlencoded"),
        (ResetBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The password is set.", body = SuccessBody),
        (status = 400, description = "The token is not valid, or the password is too weak; in that case the token can still be used.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 503, description = "The storage is unavailable, or too many passwords are waiting to be hashed; see Retry-After.",
            body = DetailBody)))]
pub(crate) async fn confirm_reset(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let ResetBody { token, new_password } =
        body.read(|reader| ResetBody::read(reader, app.settings.password_rules()))?;
    let new = RawPassword::new(new_password);
    let (service, client) = (app.clone(), client(&request));
    let reset = run_to_completion(async move { service.accounts.confirm_reset(&token, new, &client).await });
    reset.await?.map_err(|error| ApiError::at_account_path(error, CHANGE, app.explanation()))?;
    Ok(HttpResponse::Ok().json(SuccessBody::new("Password has been reset.")))
}
