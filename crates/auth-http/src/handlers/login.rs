//! `/api/token/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::AccountError;
use auth_accounts::account::LoginName;
use auth_accounts::password::RawPassword;
use auth_accounts::service::LoginOutcome;
use auth_core::service::TokenPair;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::AccountApp;
use crate::body::{Body, FieldReader, TEXT, TextRules};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, ChallengedBody, DetailBody};

/// Credentials: `username` or `email`, and `password`. With both names, the username is used.
#[derive(ToSchema)]
pub(crate) struct LoginBody {
    /// The username, exactly as registered.
    #[schema(nullable = false)]
    username: Option<String>,
    /// The email address, exactly as registered.
    #[schema(nullable = false)]
    email: Option<String>,
    /// The password.
    password: String,
}

impl LoginBody {
    fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let (username, email) = if reader.has("email") && !reader.has("username") {
            (None, reader.optional("email", TEXT))
        } else {
            (reader.required("username", TEXT), None)
        };
        Some(Self { username, email, password: reader.required("password", password)? })
    }

    /// Reads the credentials from a body.
    pub(super) fn credentials(body: Body, password: TextRules) -> Result<(LoginName, RawPassword), ApiError> {
        body.read(|reader| {
            let Self { username, email, password } = Self::read(reader, password)?;
            let name = username.map(LoginName::Username).or(email.map(LoginName::Email))?;
            Some((name, RawPassword::new(password)))
        })
    }
}

/// The first token pair of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPairBody {
    /// A refresh token.
    refresh: String,
    /// An access token.
    access: String,
}

impl From<TokenPair> for TokenPairBody {
    fn from(pair: TokenPair) -> Self {
        Self { refresh: pair.refresh.into_exposed(), access: pair.access.into_exposed() }
    }
}

/// Starts a session.
#[utoipa::path(post, path = "/api/token/", tag = "token", operation_id = "token_obtain_pair",
    request_body(content(
        (LoginBody = "application/json"), (LoginBody = "application/x-www-form-urlencoded"),
        (LoginBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "A token pair.", body = TokenPairBody),
        (status = 400, description = "The body is malformed or misses a field.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No active account has these credentials; or, with the code \
            `second_factor_required`, a second factor is required; or, with `email_not_verified`, the email address must be \
            verified first.", body = ChallengedBody),
        (status = 429, description = "Too many wrong passwords for the user or from the client IP; see Retry-After.",
            body = DetailBody),
        (status = 503, description = "The storage is unavailable, or too many logins are waiting; see Retry-After.",
            body = DetailBody)))]
pub(crate) async fn login(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (name, password) = LoginBody::credentials(body, app.settings.password_rules())?;
    let (service, client) = (app.clone(), client(&request));
    let outcome = run_to_completion(async move { service.logins.login(&name, &password, client).await }).await?;
    let pair = tokens(outcome, &app)?;
    Ok(HttpResponse::Ok().json(TokenPairBody::from(pair)))
}

/// Returns the tokens of a login, or an error if a second factor is required or the login was refused.
pub(super) fn tokens<T>(outcome: Result<LoginOutcome<T>, AccountError>, app: &AccountApp) -> Result<T, ApiError> {
    match outcome {
        Ok(LoginOutcome::Tokens(tokens)) => Ok(tokens),
        Ok(LoginOutcome::SecondFactorRequired(challenge)) => Err(ApiError::challenged(&challenge)),
        Err(error) => Err(ApiError::at_login(error, app.settings.reasons)),
    }
}
