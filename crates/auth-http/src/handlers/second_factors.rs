//! `/api/users/me/second-factors/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::password::RawPassword;
use auth_accounts::second_factor::{Method, RecoveryCode};
use auth_accounts::service::{ConfirmedFactor, Enrolment, FactorStatus, SecondFactorChallenge, Shown};
use auth_core::time::UnixTime;
use auth_core::token::ClientInfo;
use serde::Serialize;
use utoipa::ToSchema;

use super::ToldBody;
use crate::app::AccountApp;
use crate::body::{Body, FieldErrors, FieldReader, Fields, TEXT, TextRules};
use crate::client::client;
use crate::detached::to_its_end;
use crate::error::{ApiError, ChallengeBody, DetailBody, FieldNames};
use crate::guard::CurrentUser;
use crate::moment::rfc_3339;
use crate::qr::Qr;

/// The second factors of the caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorsBody {
    /// Whether a login has to show one, whatever is on: then codes go by mail.
    required: bool,
    /// Those that are on.
    methods: Vec<FactorBody>,
    /// How many recovery codes are left.
    recovery_codes_left: usize,
}

/// A second factor that is on.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorBody {
    /// `email` or `totp`.
    method: &'static str,
    /// Since when: RFC 3339, UTC.
    #[schema(format = DateTime)]
    since: String,
}

impl From<FactorStatus> for FactorsBody {
    fn from(status: FactorStatus) -> Self {
        let factor =
            |method: Method, since: UnixTime| FactorBody { method: method.name(), since: rfc_3339(since.into()) };
        let totp = status.factors.totp.as_ref().map(|totp| factor(Method::Totp, totp.since));
        let email = status.factors.email_since.map(|since| factor(Method::Email, since));
        Self {
            required: status.is_required,
            methods: totp.into_iter().chain(email).collect(),
            recovery_codes_left: status.factors.recovery_codes.len(),
        }
    }
}

/// Shows the second factors of the caller.
#[utoipa::path(get, path = "/api/users/me/second-factors/", tag = "second factors", operation_id = "second_factors_show",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "What is on.", body = FactorsBody),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn show(app: web::Data<AccountApp>, caller: CurrentUser) -> Result<HttpResponse, ApiError> {
    let status = app.second_factors.status(caller.user()).await.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(FactorsBody::from(status)))
}

/// Asks the caller for a second factor, for what takes one; a code is mailed if one of them is by mail.
#[utoipa::path(post, path = "/api/users/me/second-factors/challenge/", tag = "second factors",
    operation_id = "second_factors_challenge", security(("bearer" = [])),
    responses(
        (status = 200, description = "A challenge.", body = ChallengeBody),
        (status = 400, description = "No second factor is on.", body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many mails; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn challenge(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
) -> Result<HttpResponse, ApiError> {
    let (service, client) = (app.clone(), client(&request));
    let asked = to_its_end(async move { service.second_factors.challenge(caller.user(), &client).await }).await?;
    let SecondFactorChallenge { challenge, methods } = asked.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(ChallengeBody::new(&challenge, &methods)))
}

/// What to switch on or off, and the proof that it is the caller who asks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub(crate) struct FactorChangeBody {
    /// `email` or `totp`.
    method: String,
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// Where a second factor is on: a challenge.
    challenge: Option<String>,
    /// And the code that answers it.
    code: Option<String>,
}

/// A second factor that waits for its first code.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolmentBody {
    /// `email` or `totp`.
    method: &'static str,
    /// To be shown again with the code.
    challenge: String,
    /// The secret for an authenticator, in base32.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The same as a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    otpauth_uri: Option<String>,
    /// The URI as a QR code: an SVG document.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_svg: Option<String>,
    /// The URI as a QR code: a PNG image as a `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_png: Option<String>,
}

impl From<Enrolment> for EnrolmentBody {
    fn from(enrolment: Enrolment) -> Self {
        let (method, challenge, secret, uri) = match enrolment {
            Enrolment::Email(challenge) => (Method::Email, challenge, None, None),
            Enrolment::Totp { challenge, secret, uri } => {
                (Method::Totp, challenge, Some(secret.expose_base32()), Some(uri))
            }
        };
        let (qr_svg, qr_png) = uri.as_deref().and_then(Qr::of).map(|qr| (qr.svg, qr.png)).unzip();
        let challenge = challenge.expose().to_owned();
        Self { method: method.name(), challenge, secret, otpauth_uri: uri, qr_svg, qr_png }
    }
}

/// Begins to switch a second factor on. It is on when its first code is confirmed.
#[utoipa::path(post, path = "/api/users/me/second-factors/", tag = "second factors",
    operation_id = "second_factors_enrol", security(("bearer" = [])),
    request_body(content(
        (FactorChangeBody = "application/json"), (FactorChangeBody = "application/x-www-form-urlencoded"),
        (FactorChangeBody = "multipart/form-data"))),
    responses(
        (status = 201, description = "It waits for its first code.", body = EnrolmentBody),
        (status = 400, description = "Password or code are wrong, or there is no such method.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many attempts or mails; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn enrol(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (method, shown) = factor_change(&app, &body.into_fields()?, client(&request)).map_err(ApiError::fields)?;
    let service = app.clone();
    let begun = to_its_end(async move { service.second_factors.enrol(caller.user(), method, shown).await }).await?;
    Ok(HttpResponse::Created().json(EnrolmentBody::from(begun.map_err(|error| refuse(error, &app))?)))
}

/// The first code of a second factor.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub(crate) struct ConfirmationBody {
    /// The challenge of the enrolment.
    challenge: String,
    /// Six digits.
    code: String,
}

/// A second factor that was switched on.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfirmedBody {
    /// `email` or `totp`.
    method: &'static str,
    /// Ten codes to be written down, shown this once; absent if there are some already.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
}

/// Switches a second factor on with its first code.
#[utoipa::path(post, path = "/api/users/me/second-factors/confirm/", tag = "second factors",
    operation_id = "second_factors_confirm", security(("bearer" = [])),
    request_body(content(
        (ConfirmationBody = "application/json"), (ConfirmationBody = "application/x-www-form-urlencoded"),
        (ConfirmationBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "It is on.", body = ConfirmedBody),
        (status = 400, description = "The code is wrong, or the challenge is used up or over.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many codes; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn confirm(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    let (challenge, code) = (reader.required("challenge", TEXT), reader.required("code", TEXT));
    let (Some(challenge), Some(code)) = (challenge, code) else { return Err(ApiError::fields(reader.into_errors())) };
    let (service, client) = (app.clone(), client(&request));
    let confirmed =
        to_its_end(async move { service.second_factors.confirm(caller.user(), &challenge, &code, &client).await });
    let ConfirmedFactor { method, recovery_codes } = confirmed.await?.map_err(|error| refuse(error, &app))?;
    let recovery_codes = recovery_codes.map(|codes| codes.iter().map(RecoveryCode::expose).collect());
    Ok(HttpResponse::Ok().json(ConfirmedBody { method: method.name(), recovery_codes }))
}

/// Switches a second factor off. With the last one the recovery codes go as well.
#[utoipa::path(post, path = "/api/users/me/second-factors/remove/", tag = "second factors",
    operation_id = "second_factors_remove", security(("bearer" = [])),
    request_body(content(
        (FactorChangeBody = "application/json"), (FactorChangeBody = "application/x-www-form-urlencoded"),
        (FactorChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "It is off.", body = ToldBody),
        (status = 400, description = "Password or code are wrong, or it was not on.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many attempts; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn remove(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let (method, shown) = factor_change(&app, &body.into_fields()?, client(&request)).map_err(ApiError::fields)?;
    let service = app.clone();
    let removed = to_its_end(async move { service.second_factors.remove(caller.user(), method, shown).await }).await?;
    removed.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Ok().json(ToldBody::new("Second factor removed.")))
}

/// The proof that it is the caller who asks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub(crate) struct ProofBody {
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// A challenge.
    challenge: String,
    /// The code that answers it.
    code: String,
}

/// Ten new recovery codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodesBody {
    /// To be written down; shown this once.
    recovery_codes: Vec<String>,
}

/// Makes ten new recovery codes; those before open nothing any more.
#[utoipa::path(post, path = "/api/users/me/second-factors/recovery-codes/", tag = "second factors",
    operation_id = "second_factors_recovery_codes", security(("bearer" = [])),
    request_body(content(
        (ProofBody = "application/json"), (ProofBody = "application/x-www-form-urlencoded"),
        (ProofBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The new codes.", body = RecoveryCodesBody),
        (status = 400, description = "Password or code are wrong, or no second factor is on.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 429, description = "Too many attempts; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn recovery_codes(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = body.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    let shown = shown(&app, &mut reader, client(&request));
    let shown = shown.ok_or_else(|| ApiError::fields(reader.into_errors()))?;
    let service = app.clone();
    let made =
        to_its_end(async move { service.second_factors.replace_recovery_codes(caller.user(), shown).await }).await?;
    let codes = made.map_err(|error| refuse(error, &app))?;
    let recovery_codes = codes.iter().map(RecoveryCode::expose).collect();
    Ok(HttpResponse::Ok().json(RecoveryCodesBody { recovery_codes }))
}

fn refuse(error: auth_accounts::AccountError, app: &AccountApp) -> ApiError {
    ApiError::at_account_path(error, FieldNames::default(), app.explanation())
}

fn factor_change(app: &AccountApp, fields: &Fields, client: ClientInfo) -> Result<(Method, Shown), FieldErrors> {
    let mut reader = FieldReader::new(fields);
    let method = reader.required("method", TEXT);
    let shown = shown(app, &mut reader, client);
    let mut errors = reader.into_errors();
    let known = method.as_deref().and_then(Method::from_name).filter(|method| *method != Method::RecoveryCode);
    if method.is_some() && known.is_none() {
        errors.add("method", vec!["Not a valid choice.".to_owned()]);
    }
    match (known, shown) {
        (Some(method), Some(shown)) if errors.is_empty() => Ok((method, shown)),
        _ => Err(errors),
    }
}

/// The same where it may be needed: what is no text is as good as absent.
pub(super) fn shown_if_any(app: &AccountApp, fields: &Fields, client: ClientInfo) -> Option<Shown> {
    shown(app, &mut FieldReader::new(fields), client)
}

/// Password, challenge and code; `None` if something is wrong with them.
fn shown(app: &AccountApp, reader: &mut FieldReader<'_>, client: ClientInfo) -> Option<Shown> {
    let password = reader.required("password", TextRules { trim: app.settings.trim_passwords, ..TEXT });
    let answer = answer(reader);
    Some(Shown { password: RawPassword::new(password?), answer, client })
}

/// A challenge and the code that answers it.
pub(super) fn answer(reader: &mut FieldReader<'_>) -> Option<(String, String)> {
    match (reader.optional("challenge", TEXT), reader.optional("code", TEXT)) {
        (Some(challenge), Some(code)) => Some((challenge, code)),
        _ => None,
    }
}
