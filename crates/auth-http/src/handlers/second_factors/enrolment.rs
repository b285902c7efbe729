//! Enrolment of a second factor: `POST /api/users/me/second-factors/`, then `confirm/` with the first code.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::second_factor::{Method, RecoveryCode};
use auth_accounts::service::{ConfirmedFactor, Enrolment};
use serde::Serialize;
use utoipa::ToSchema;

use super::reauthentication::FactorChangeBody;
use super::refuse;
use crate::app::AccountApp;
use crate::body::{Body, FieldReader, TEXT};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody};
use crate::guard::CurrentUser;
use crate::qr::Qr;

/// A second factor that is not confirmed yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolmentBody {
    /// `email` or `totp`.
    method: &'static str,
    /// Send it back with the code.
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

/// Starts an enrolment. The second factor is added when its first code is confirmed.
#[utoipa::path(post, path = "/api/users/me/second-factors/", tag = "second factors",
    operation_id = "second_factors_enrol", security(("bearer" = [])),
    request_body(content(
        (FactorChangeBody = "application/json"), (FactorChangeBody = "application/x-www-form-urlencoded"),
        (FactorChangeBody = "multipart/form-data"))),
    responses(
        (status = 201, description = "The second factor awaits its first code.", body = EnrolmentBody),
        (status = 400, description = "The password or code is wrong, or the method is unknown.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many attempts or emails; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn enrol(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let change = body.read(|reader| FactorChangeBody::read(reader, app.settings.password_rules()))?;
    let (method, reauthentication) = change.into_parts(client(&request));
    let service = app.clone();
    let enrolment =
        run_to_completion(async move { service.second_factors.enrol(caller.user(), method, reauthentication).await });
    let enrolment = enrolment.await?.map_err(|error| refuse(error, &app))?;
    Ok(HttpResponse::Created().json(EnrolmentBody::from(enrolment)))
}

/// The first code of a second factor.
#[derive(ToSchema)]
pub(crate) struct ConfirmationBody {
    /// The challenge of the enrolment.
    challenge: String,
    /// A 6-digit code.
    code: String,
}

impl ConfirmationBody {
    fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        let (challenge, code) = (reader.required("challenge", TEXT), reader.required("code", TEXT));
        Some(Self { challenge: challenge?, code: code? })
    }
}

/// A second factor that was added.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfirmedBody {
    /// `email` or `totp`.
    method: &'static str,
    /// Ten recovery codes, shown only once; absent if the user has some already.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
}

/// Confirms a second factor with its first code.
#[utoipa::path(post, path = "/api/users/me/second-factors/confirm/", tag = "second factors",
    operation_id = "second_factors_confirm", security(("bearer" = [])),
    request_body(content(
        (ConfirmationBody = "application/json"), (ConfirmationBody = "application/x-www-form-urlencoded"),
        (ConfirmationBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The second factor is added.", body = ConfirmedBody),
        (status = 400, description = "The code is wrong, or the challenge has been used or has expired.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 429, description = "Too many codes; see Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn confirm(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let ConfirmationBody { challenge, code } = body.read(ConfirmationBody::read)?;
    let (service, client) = (app.clone(), client(&request));
    let confirmed =
        run_to_completion(
            async move { service.second_factors.confirm(caller.user(), &challenge, &code, &client).await },
        );
    let ConfirmedFactor { method, recovery_codes } = confirmed.await?.map_err(|error| refuse(error, &app))?;
    let recovery_codes = recovery_codes.map(|codes| codes.iter().map(RecoveryCode::expose).collect());
    Ok(HttpResponse::Ok().json(ConfirmedBody { method: method.name(), recovery_codes }))
}
