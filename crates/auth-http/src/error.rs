//! Refusals and failures on the wire: status, body and headers of the contract, section 4.
//!
//! Every 401 carries `WWW-Authenticate`, every 503 `Retry-After`. A body never shows what went wrong inside.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use auth_accounts::AccountError;
use auth_accounts::account::{AccountFault, Taken};
use auth_accounts::code::ChallengeToken;
use auth_accounts::password::{Attribute, PasswordFlaw};
use auth_accounts::second_factor::Method;
use auth_accounts::service::SecondFactorChallenge;
use auth_core::time::Seconds;
use auth_core::token::{TokenFault, TokenKind};
use auth_core::{AuthError, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::FieldErrors;

/// The challenge of every 401 (RFC 6750 §3).
const CHALLENGE: &str = r#"Bearer realm="api""#;

/// Marks an answer whose challenge is this crate's: where other schemes are configured, it names those.
pub(crate) struct OwnChallenge;

/// The body of most refusals.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct DetailBody {
    /// What happened, for people.
    pub detail: String,
    /// What happened, for programs. Stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// On guarded paths: what each kind of accepted token says to the presented one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<TokenMessage>>,
    /// Why a well-signed token is refused. Stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// What one kind of accepted token says to the presented one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenMessage {
    /// The kind, as SimpleJWT names its class.
    pub token_class: &'static str,
    /// The kind, as the claim `token_type` names it.
    pub token_type: &'static str,
    /// Why it is refused.
    pub message: &'static str,
}

/// The body of a refused logout.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LogoutErrorBody {
    /// Why.
    pub error: &'static str,
}

/// The body of a refusal that concerns no single field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NonFieldErrorsBody {
    /// Why.
    pub non_field_errors: Vec<String>,
}

/// A challenge, and what may answer it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChallengeBody {
    /// To be shown again with the code.
    pub challenge: String,
    /// `totp`, `email`, `recovery_code`.
    pub methods: Vec<&'static str>,
}

impl ChallengeBody {
    pub(crate) fn new(challenge: &ChallengeToken, methods: &[Method]) -> Self {
        let methods = methods.iter().map(|method| method.name()).collect();
        Self { challenge: challenge.expose().to_owned(), methods }
    }
}

/// The body of a login that needs more than the password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChallengedBody {
    /// What happened, for people.
    pub detail: &'static str,
    /// What happened, for programs. Stable.
    pub code: &'static str,
    /// With the code `second_factor_required`.
    #[serde(flatten)]
    pub challenge: ChallengeBody,
}

/// What an endpoint calls its fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldNames {
    /// That of the password that somebody has.
    pub password: &'static str,
    /// That of the one they want.
    pub new_password: &'static str,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self { password: "password", new_password: "new_password" }
    }
}

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

    fn with_body(status: StatusCode, body: DetailBody) -> Self {
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

    /// Why a use-case failed, at an endpoint that takes a token in its body.
    pub(crate) fn at_token_endpoint(error: impl Into<AccountError>, reasons: bool) -> Self {
        match error.into() {
            AccountError::Auth(AuthError::Token(fault)) => Self::with_body(
                StatusCode::UNAUTHORIZED,
                DetailBody {
                    detail: message(fault).to_owned(),
                    code: Some("token_not_valid"),
                    reason: reason(fault).filter(|_| reasons),
                    messages: None,
                },
            ),
            other => Self::from_account(other, reasons),
        }
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
    fn too_many_registrations(retry_after: u64) -> Self {
        let unit = if retry_after == 1 { "second" } else { "seconds" };
        let detail =
            format!("Too many registrations from this network address. Expected available in {retry_after} {unit}.");
        let mut error = Self::coded(StatusCode::TOO_MANY_REQUESTS, &detail, "too_many_registrations");
        error.retry_after = Some(retry_after);
        error
    }

    /// Why the bearer of an access token is refused on a guarded path.
    pub(crate) fn at_guarded_path(error: impl Into<AccountError>, app: &App) -> Self {
        let reasons = app.settings.reasons;
        match error.into() {
            AccountError::Auth(AuthError::Token(fault)) => Self::with_body(
                StatusCode::UNAUTHORIZED,
                DetailBody {
                    detail: "Given token not valid for any token type".to_owned(),
                    code: Some("token_not_valid"),
                    messages: Some(app.tokens.policy().accepted_kinds.iter().map(|kind| told(*kind, fault)).collect()),
                    reason: reason(fault).filter(|_| reasons),
                },
            ),
            other => Self::from_account(other, reasons),
        }
    }

    /// Why a use-case failed that looks after an account. What is wrong with a field is said of the field.
    pub(crate) fn at_account_path(error: AccountError, names: FieldNames, app: &App) -> Self {
        let of = |field, message: &str| Self::fields(FieldErrors::of(field, message));
        match error {
            AccountError::PasswordMissing => of(names.password, "This field is required."),
            AccountError::WrongPassword => of(names.password, "Wrong password."),
            AccountError::Account(AccountFault::WeakPassword(flaws)) => {
                let mut errors = FieldErrors::default();
                errors.add(names.new_password, flaws.into_iter().map(password_message).collect());
                Self::fields(errors)
            }
            AccountError::Account(fault) => match account_field(&fault, TakenWording::Profile) {
                Some((field, message)) => of(field, message),
                None => Self::at_guarded_path(fault, app),
            },
            AccountError::BadLink => of("token", "Token is invalid or expired."),
            AccountError::WrongCode => of("code", "Invalid code."),
            AccountError::ChallengeInvalid => of("challenge", "Challenge is invalid or expired."),
            AccountError::ChallengeMissing => of("challenge", "This field is required."),
            AccountError::NoSecondFactor => of("method", "This second factor is not on."),
            AccountError::EmailNotVerified => of("method", "Verify your email address first."),
            AccountError::MethodUnavailable => of("method", "This second factor is not available here."),
            other => Self::at_guarded_path(other, app),
        }
    }

    /// Why a token is refused at verification: one that was taken out of use is an error of the body.
    pub(crate) fn at_verification(error: AuthError, reasons: bool) -> Self {
        match error {
            AuthError::Token(fault) if fault.is_blacklisted() => Self::non_field(message(fault)),
            other => Self::at_token_endpoint(other, reasons),
        }
    }

    /// Why a logout is refused.
    pub(crate) fn at_logout(error: AuthError, reasons: bool) -> Self {
        match error {
            AuthError::Token(fault) => Self::logout(message(fault)),
            other => Self::from_auth(other, reasons),
        }
    }

    /// What the token half answers, where nothing more can be said. Exhaustive on purpose: a new error must be mapped here.
    fn from_auth(error: AuthError, reasons: bool) -> Self {
        let refuse = |detail: &str, code, reason: Option<&'static str>| {
            let reason = reason.filter(|_| reasons);
            let body = DetailBody { detail: detail.to_owned(), code, reason, messages: None };
            Self::with_body(StatusCode::UNAUTHORIZED, body)
        };
        let code = Some(error.code());
        match error {
            AuthError::NoActiveAccount => {
                refuse("No active account found for the given token.", None, Some("user_inactive"))
            }
            AuthError::SubjectMissing => refuse("Token contained no recognizable user identification", code, None),
            AuthError::UserNotFound => refuse("User not found", code, Some("user_not_found")),
            AuthError::UserInactive => refuse("User is inactive", code, Some("user_inactive")),
            AuthError::PasswordChanged => {
                refuse("The user's password has been changed.", code, Some("password_changed"))
            }
            AuthError::MultiFactorRequired => refuse("More than one authentication factor is required.", code, None),
            AuthError::Store(StoreError::Unavailable(_)) | AuthError::Unavailable(_) | AuthError::UserChanged => {
                log_failure(&error);
                Self::unavailable(error.retry_after().map_or(1, Seconds::get))
            }
            AuthError::NothingNamed => Self::logout("'refresh'"),
            AuthError::ForeignToken => Self::logout("Token is invalid"),
            AuthError::NoOwnSession => Self::logout("The access token belongs to no session"),
            // The first one is answered by the endpoints where it can occur.
            AuthError::Token(_) | AuthError::Store(StoreError::Broken(_)) | AuthError::Crypto(_) => {
                Self::failure(&error)
            }
        }
    }

    /// What the services of accounts answer, where nothing more can be said. Exhaustive, as [`from_auth`](Self::from_auth).
    fn from_account(error: AccountError, reasons: bool) -> Self {
        let refuse = |detail: &str, code| {
            let body = DetailBody { detail: detail.to_owned(), code, ..DetailBody::default() };
            Self::with_body(StatusCode::UNAUTHORIZED, body)
        };
        let code = Some(error.code());
        match error {
            AccountError::Auth(error) => Self::from_auth(error, reasons),
            AccountError::BadCredentials => refuse("No active account found with the given credentials", None),
            AccountError::EmailNotVerified => refuse("E-mail address is not verified.", code),
            AccountError::LoginRequired => {
                refuse("Log in to verify this address: the account has a second factor.", code)
            }
            AccountError::ChallengeInvalid => refuse("Challenge is invalid or expired.", code),
            AccountError::WrongCode => refuse("Invalid code.", code),
            AccountError::Throttled { retry_after } => Self::throttled(Duration::from_secs(retry_after.get())),
            AccountError::TooManyRegistrations { retry_after } => Self::too_many_registrations(retry_after.get()),
            AccountError::Overloaded { retry_after } => Self::unavailable(retry_after.get()),
            // Answered by the endpoints where they can occur.
            AccountError::Account(_)
            | AccountError::ChallengeMissing
            | AccountError::NoSecondFactor
            | AccountError::MethodUnavailable
            | AccountError::BadLink
            | AccountError::PasswordMissing
            | AccountError::WrongPassword => Self::failure(&error),
        }
    }

    fn failure(error: &(dyn Error + 'static)) -> Self {
        log_failure(error);
        Self::internal()
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
fn log_failure(error: &(dyn Error + 'static)) {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    tracing::error!(error = chain, "request failed");
}

/// What one kind of accepted token says to the presented one.
const fn told(kind: TokenKind, fault: TokenFault) -> TokenMessage {
    let token_class = match kind {
        TokenKind::Access => "AccessToken",
        TokenKind::Refresh => "RefreshToken",
        TokenKind::Sliding => "SlidingToken",
    };
    TokenMessage { token_class, token_type: kind.name(), message: message(fault) }
}

/// The text for a refused token. A forger learns nothing: all that is not well signed is one text.
const fn message(fault: TokenFault) -> &'static str {
    match fault {
        TokenFault::Expired => "Token is expired",
        TokenFault::NoExpiry => "Token has no 'exp' claim",
        TokenFault::NoRefreshExpiry => "Token has no 'refresh_exp' claim",
        TokenFault::RefreshExpired => "Token 'refresh_exp' claim has expired",
        TokenFault::NoId => "Token has no id",
        TokenFault::NoKind => "Token has no type",
        TokenFault::WrongKind => "Token has wrong type",
        fault if fault.is_blacklisted() => "Token is blacklisted",
        _ => "Token is invalid",
    }
}

/// The stable reason, for the bearer of a well-signed token.
const fn reason(fault: TokenFault) -> Option<&'static str> {
    match fault {
        TokenFault::Expired | TokenFault::RefreshExpired => Some("token_expired"),
        TokenFault::BadClaim
        | TokenFault::NoExpiry
        | TokenFault::NoRefreshExpiry
        | TokenFault::NoId
        | TokenFault::NoKind => Some("token_malformed"),
        TokenFault::WrongKind => Some("token_wrong_type"),
        TokenFault::Spent => Some("token_spent"),
        TokenFault::Reused => Some("token_reused"),
        TokenFault::NeverIssued => Some("token_never_issued"),
        TokenFault::Revoked => Some("session_revoked"),
        TokenFault::UnknownSession => Some("session_unknown"),
        _ => None,
    }
}

/// Which spelling of "taken" an endpoint uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TakenWording {
    /// Registration.
    Registration,
    /// The profile.
    Profile,
}

/// The field that an account fault concerns, with its message.
pub(crate) fn account_field(fault: &AccountFault, wording: TakenWording) -> Option<(&'static str, &'static str)> {
    match (fault, wording) {
        (AccountFault::Taken(Taken::Username), TakenWording::Registration) => {
            Some(("username", "User with this username already exists."))
        }
        (AccountFault::Taken(Taken::Email), TakenWording::Registration) => {
            Some(("email", "User with this email already exists."))
        }
        (AccountFault::Taken(Taken::Username), TakenWording::Profile) => {
            Some(("username", "A user with that username already exists."))
        }
        (AccountFault::Taken(Taken::Email), TakenWording::Profile) => {
            Some(("email", "user with this email address already exists."))
        }
        _ => None,
    }
}

/// The text for a refused value of a field.
pub(crate) fn value_message(fault: &AccountFault) -> String {
    match fault {
        AccountFault::BadUsername => "Enter a valid username. This value may contain only letters, numbers, and \
                                      @/./+/-/_ characters."
            .to_owned(),
        AccountFault::BadEmail => "Enter a valid email address.".to_owned(),
        AccountFault::BadPersonName => "Control characters are not allowed.".to_owned(),
        AccountFault::TooLong(limit) => format!("Ensure this field has no more than {limit} characters."),
        _ => "Enter a valid value.".to_owned(),
    }
}

/// The text for what is wrong with a password.
pub(crate) fn password_message(flaw: PasswordFlaw) -> String {
    match flaw {
        PasswordFlaw::TooSimilar(attribute) => {
            let name = match attribute {
                Attribute::Username => "username",
                Attribute::FirstName => "first name",
                Attribute::LastName => "last name",
                Attribute::Email => "email address",
                Attribute::ServiceName => "name of this service",
            };
            format!("The password is too similar to the {name}.")
        }
        PasswordFlaw::TooShort(limit) => {
            format!("This password is too short. It must contain at least {limit} characters.")
        }
        PasswordFlaw::TooLong(limit) => format!("Ensure this field has no more than {limit} characters."),
        PasswordFlaw::TooCommon => "This password is too common.".to_owned(),
        PasswordFlaw::EntirelyNumeric => "This password is entirely numeric.".to_owned(),
        _ => "Enter another password.".to_owned(),
    }
}

impl From<AuthError> for ApiError {
    /// What the endpoints for tokens answer, without a `reason`: for the handlers of a host.
    fn from(error: AuthError) -> Self {
        Self::at_token_endpoint(error, false)
    }
}

impl From<StoreError> for ApiError {
    /// What a storage could not do, for the handlers of a host: 503 or 500.
    fn from(error: StoreError) -> Self {
        Self::from_auth(error.into(), false)
    }
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
