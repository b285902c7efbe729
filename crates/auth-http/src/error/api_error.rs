//! A refusal or failure as it is sent.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use auth_accounts::service::SecondFactorChallenge;

use super::{ChallengeBody, ChallengedBody, DetailBody, FieldErrors, LogoutErrorBody, NonFieldErrorsBody};

/// The challenge of every 401 (RFC 6750 §3).
const CHALLENGE: &str = r#"Bearer realm="api""#;

/// Marks an answer whose challenge is this crate's: where other schemes are configured, it names those.
pub(crate) struct OwnChallenge;

#[derive(Debug)]
enum ErrorBody {
    Detail(DetailBody),
    Challenged(Box<ChallengedBody>),
    Fields(FieldErrors),
    NonField(NonFieldErrorsBody),
    Logout(LogoutErrorBody),
}

/// A refusal or failure, ready to be sent.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    retry_after: Option<u64>,
}

impl ApiError {
    /// A refusal with a text and nothing else.
    pub fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::with_body(status, DetailBody { detail: detail.into(), ..DetailBody::default() })
    }

    /// A refusal with a text and a code.
    pub fn coded(status: StatusCode, detail: &str, code: &'static str) -> Self {
        Self::with_body(status, DetailBody { detail: detail.to_owned(), code: Some(code), ..DetailBody::default() })
    }

    pub(super) fn with_body(status: StatusCode, body: DetailBody) -> Self {
        Self { status, body: ErrorBody::Detail(body), retry_after: None }
    }

    /// Fields of the body that are refused: 400.
    pub const fn fields(errors: FieldErrors) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody::Fields(errors), retry_after: None }
    }

    /// A body refused as a whole: 400.
    pub fn non_field(message: impl Into<String>) -> Self {
        let body = NonFieldErrorsBody { non_field_errors: vec![message.into()] };
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody::NonField(body), retry_after: None }
    }

    /// A refused logout: 400.
    pub(crate) const fn logout(error: &'static str) -> Self {
        let body = ErrorBody::Logout(LogoutErrorBody { error });
        Self { status: StatusCode::BAD_REQUEST, body, retry_after: None }
    }

    /// No credentials where they are needed: 401.
    pub fn not_authenticated() -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, "Authentication credentials were not provided.")
    }

    /// Not allowed to do this: 403.
    pub fn permission_denied() -> Self {
        Self::detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action.")
    }

    /// There is no such thing: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::NOT_FOUND, detail)
    }

    /// Too many requests: 429. Whole seconds, rounded up.
    pub(crate) fn throttled(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
        let mut error = Self::detail(StatusCode::TOO_MANY_REQUESTS, detail);
        error.retry_after = Some(seconds);
        error
    }

    /// Too many registrations: 429. Unlike other limits this one is named, since many users of one network share it.
    pub(super) fn too_many_registrations(retry_after: u64) -> Self {
        let unit = if retry_after == 1 { "second" } else { "seconds" };
        let detail =
            format!("Too many registrations from this network address. Expected available in {retry_after} {unit}.");
        let mut error = Self::coded(StatusCode::TOO_MANY_REQUESTS, &detail, "too_many_registrations");
        error.retry_after = Some(retry_after);
        error
    }

    /// The password is right, and a second factor is asked for: 401.
    pub(crate) fn challenged(asked: &SecondFactorChallenge) -> Self {
        let body = ChallengedBody {
            detail: "A second factor is required.",
            code: "second_factor_required",
            challenge: ChallengeBody::new(&asked.challenge, &asked.methods),
        };
        Self { status: StatusCode::UNAUTHORIZED, body: ErrorBody::Challenged(Box::new(body)), retry_after: None }
    }

    pub(super) fn failure(error: &(dyn Error + 'static)) -> Self {
        log_failure(error);
        Self::internal()
    }

    /// A fault of this installation: 500. What it is stands in the log, not in the answer (SEC-202).
    pub fn internal() -> Self {
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred.")
    }

    /// It may work in a moment: 503.
    pub fn unavailable(retry_after: u64) -> Self {
        let detail = "Service temporarily unavailable, try again later.";
        let mut error = Self::coded(StatusCode::SERVICE_UNAVAILABLE, detail, "temporarily_unavailable");
        error.retry_after = Some(retry_after);
        error
    }
}

/// Says to the operator what the client is not told, with all its causes.
pub(super) fn log_failure(error: &(dyn Error + 'static)) {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    tracing::error!(error = chain, "request failed");
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE)));
            response.extensions_mut().insert(OwnChallenge);
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        match &self.body {
            ErrorBody::Detail(body) => response.json(body),
            ErrorBody::Challenged(body) => response.json(body),
            ErrorBody::Fields(body) => response.json(body),
            ErrorBody::NonField(body) => response.json(body),
            ErrorBody::Logout(body) => response.json(body),
        }
    }
}
