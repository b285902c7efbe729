//! [`ApiError`]: an error response.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use auth_accounts::service::SecondFactorChallenge;

use super::{ChallengeBody, ChallengedBody, DetailBody, FieldErrors, LogoutErrorBody, NonFieldErrorsBody};

/// The default `WWW-Authenticate` challenge of a 401 (RFC 6750 §3).
const CHALLENGE: &str = r#"Bearer realm="api""#;

/// Response extension that marks a 401 of this crate, whose challenge is replaced if another scheme is configured.
pub(crate) struct OwnChallenge;

#[derive(Debug)]
enum ErrorBody {
    Detail(DetailBody),
    Challenged(Box<ChallengedBody>),
    Fields(FieldErrors),
    NonField(NonFieldErrorsBody),
    Logout(LogoutErrorBody),
}

/// An error response: status, body, and a header such as `Retry-After` where it applies.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    /// A header beside those of every error response.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl ApiError {
    /// An error with only a `detail`.
    pub fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::with_body(status, DetailBody { detail: detail.into(), ..DetailBody::default() })
    }

    /// An error with a `detail` and a `code`.
    pub fn coded(status: StatusCode, detail: &str, code: &'static str) -> Self {
        Self::with_body(status, DetailBody { detail: detail.to_owned(), code: Some(code), ..DetailBody::default() })
    }

    pub(super) fn with_body(status: StatusCode, body: DetailBody) -> Self {
        Self { status, body: ErrorBody::Detail(body), header: None }
    }

    /// Field errors: 400.
    pub const fn fields(errors: FieldErrors) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody::Fields(errors), header: None }
    }

    /// An error about the body as a whole: 400.
    pub fn non_field(message: impl Into<String>) -> Self {
        let body = NonFieldErrorsBody { non_field_errors: vec![message.into()] };
        Self { status: StatusCode::BAD_REQUEST, body: ErrorBody::NonField(body), header: None }
    }

    /// A refused logout: 400.
    pub(crate) const fn logout(error: &'static str) -> Self {
        let body = ErrorBody::Logout(LogoutErrorBody { error });
        Self { status: StatusCode::BAD_REQUEST, body, header: None }
    }

    /// Credentials are required but missing: 401.
    pub fn not_authenticated() -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, "Authentication credentials were not provided.")
    }

    /// The caller lacks permission: 403.
    pub fn permission_denied() -> Self {
        Self::detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action.")
    }

    /// The object does not exist: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::NOT_FOUND, detail)
    }

    /// Too many requests: 429, with `delay` rounded up to whole seconds.
    pub(crate) fn throttled(delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
        Self::detail(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds)
    }

    /// Too many registrations: 429. Unlike other rate limits, this one has its own code, because all users of a network share
    /// it.
    pub(super) fn too_many_registrations(retry_after: u64) -> Self {
        let unit = if retry_after == 1 { "second" } else { "seconds" };
        let detail =
            format!("Too many registrations from this IP address. Expected available in {retry_after} {unit}.");
        Self::coded(StatusCode::TOO_MANY_REQUESTS, &detail, "too_many_registrations").retry_after(retry_after)
    }

    /// The password is correct, but a second factor is required: 401.
    pub(crate) fn challenged(required: &SecondFactorChallenge) -> Self {
        let body = ChallengedBody {
            detail: "A second factor is required.",
            code: "second_factor_required",
            challenge: ChallengeBody::new(&required.challenge, &required.methods),
        };
        Self { status: StatusCode::UNAUTHORIZED, body: ErrorBody::Challenged(Box::new(body)), header: None }
    }

    pub(super) fn failure(error: &(dyn Error + 'static)) -> Self {
        log_failure(error);
        Self::internal()
    }

    /// An internal error: 500. The cause belongs in the log, not in the response (SEC-202).
    pub fn internal() -> Self {
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred.")
    }

    /// Temporarily unavailable: 503. `retry_after` is in seconds.
    pub fn unavailable(retry_after: u64) -> Self {
        let detail = "Service temporarily unavailable, try again later.";
        Self::coded(StatusCode::SERVICE_UNAVAILABLE, detail, "temporarily_unavailable").retry_after(retry_after)
    }

    fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }
}

/// Logs an error with all its sources, which the client is not told.
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
        if let Some(header) = &self.header {
            response.insert_header((**header).clone());
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
