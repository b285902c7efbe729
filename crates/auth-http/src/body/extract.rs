//! Extractors that read a request body, within limits, and parse it by its `Content-Type`.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpMessage, HttpRequest, rt};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use crate::app::App;
use crate::error::ApiError;
use crate::fields::json::Document;
use crate::fields::{FieldReader, Fields, form, json};
use crate::media_type::parse_media_type;
use crate::settings::{OWN_BODY_LIMIT, Share};

/// A parsed request body. A missing body is parsed as an empty object.
#[derive(Debug)]
pub struct Body(Document);

impl Body {
    /// Returns the fields of a body that must be an object.
    ///
    /// # Errors
    /// 400 if the body is not an object.
    pub fn into_fields(self) -> Result<Fields, ApiError> {
        match self.0 {
            Document::Object(fields) => Ok(fields),
            Document::Null => Err(ApiError::non_field("No data provided")),
            Document::Other(kind) => {
                Err(ApiError::non_field(format!("Invalid data. Expected a dictionary, but got {kind}.")))
            }
        }
    }

    /// Reads the fields of a body that must be an object. `read` returns `None` if a field is missing or malformed.
    ///
    /// # Errors
    /// 400 with the field errors that the reader collected.
    pub(crate) fn read<T>(self, read: impl FnOnce(&mut FieldReader<'_>) -> Option<T>) -> Result<T, ApiError> {
        let fields = self.into_fields()?;
        let mut reader = FieldReader::new(&fields);
        read(&mut reader).ok_or_else(|| ApiError::fields(reader.into_errors()))
    }

    /// Returns the fields of the body, or `None` if it is not an object.
    pub fn into_object(self) -> Option<Fields> {
        match self.0 {
            Document::Object(fields) => Some(fields),
            Document::Null | Document::Other(_) => None,
        }
    }
}

/// A request body that has not been read yet, for handlers that look up an object and check its permission first
/// (docs/wire-contract.md, section 6).
pub struct UnreadBody {
    request: HttpRequest,
    payload: Payload,
}

impl UnreadBody {
    /// Reads and parses the body.
    ///
    /// # Errors
    /// 400, 408, 413 or 415.
    pub async fn read(mut self) -> Result<Body, ApiError> {
        Body::from_request(&self.request, &mut self.payload).await
    }
}

impl FromRequest for UnreadBody {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), payload: payload.take() }))
    }
}

impl FromRequest for Body {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let Some(app) = request.app_data::<web::Data<App>>() else {
                return Err(ApiError::internal());
            };
            let settings = &app.settings;
            let is_own = request.extensions().contains::<OwnRoute>();
            let limit = if is_own { OWN_BODY_LIMIT } else { settings.body_limit };
            let time = Duration::from_secs(settings.body_timeout_seconds);
            let read = rt::time::timeout(time, read(&request, payload, limit, settings.body_budget.share())).await;
            let (bytes, share) =
                read.map_err(|_| ApiError::detail(StatusCode::REQUEST_TIMEOUT, "Request body timed out."))??;
            // The parsed body may live as long as the request, so its share of the budget does too.
            request.extensions_mut().insert(share);
            parse(&request, bytes).await.map(Self)
        })
    }
}

/// Request extension that marks a route of the service itself, as opposed to one of the host.
pub(crate) struct OwnRoute;

/// `Retry-After` of a 503 that is answered because the body budget is exhausted, in seconds.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Reads the body, and stops at the first byte over `limit`, or before the first byte if `Content-Length` exceeds it. Only
/// received bytes count against the budget: a client cannot reserve memory by announcing a length.
async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
    mut share: Share,
) -> Result<(Bytes, Share), ApiError> {
    let too_large = || ApiError::detail(StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large.");
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|value| value.parse::<usize>().ok()).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::detail(StatusCode::BAD_REQUEST, "Request body is malformed."))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        if !share.grow(chunk.len()) {
            tracing::warn!("http.body_budget_bytes: exhausted; request answered 503");
            return Err(ApiError::unavailable(RETRY_AFTER_SECONDS));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes.freeze(), share))
}

async fn parse(request: &HttpRequest, bytes: Bytes) -> Result<Document, ApiError> {
    if bytes.is_empty() {
        return Ok(Document::Object(Fields::new()));
    }
    refuse_content_encoding(request)?;
    let content_type = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let content_type = String::from_utf8_lossy(content_type).into_owned();
    let unsupported = || {
        let detail = format!("Unsupported media type \"{content_type}\" in request.");
        ApiError::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    };
    let media = parse_media_type(&content_type).ok_or_else(unsupported)?;
    match media.essence_str() {
        "application/json" => json::parse(&bytes).map_err(|error| malformed("JSON", &error)),
        "application/x-www-form-urlencoded" => Ok(Document::Object(form::parse_urlencoded(&bytes))),
        "multipart/form-data" => {
            let boundary = media.get_param(mime::BOUNDARY).map(|boundary| boundary.as_str().to_owned());
            let boundary = boundary.ok_or_else(|| malformed("Multipart form", "no boundary"))?;
            let fields = form::parse_multipart(bytes, &boundary).await;
            fields.map(Document::Object).map_err(|error| malformed("Multipart form", &error))
        }
        _ => Err(unsupported()),
    }
}

/// Refuses a compressed body: 415, with the encoding that is accepted instead (RFC 9110 §12.5.3).
fn refuse_content_encoding(request: &HttpRequest) -> Result<(), ApiError> {
    let is_identity = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if request.headers().get_all(header::CONTENT_ENCODING).all(is_identity) {
        return Ok(());
    }
    let error = ApiError::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content encodings are not supported.");
    Err(error.with_header(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity")))
}

fn malformed(what: &str, error: &str) -> ApiError {
    ApiError::detail(StatusCode::BAD_REQUEST, format!("{what} parse error - {error}"))
}
