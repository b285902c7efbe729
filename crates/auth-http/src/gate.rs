//! What stands before every handler, in the order of the contract (section 6): the answer's format, then the bearer's
//! credentials, then the method, then the body.

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use auth_core::AuthError;
use auth_core::service::Caller;
use auth_core::token::{RawToken, TokenFault};
use futures_util::FutureExt;

use crate::app::App;
use crate::error::ApiError;
use crate::negotiation::{Format, indent, negotiate};
use crate::routes::{Access, Endpoint};

/// The one scheme that is read. Compared exactly, as the reference peer does.
const SCHEME: &[u8] = b"Bearer";

/// Checks a request before its handler sees it, and answers for a handler that panics.
pub(crate) async fn gate(
    endpoint: &'static Endpoint,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let format = if endpoint.about.is_some() { negotiate(request.headers()) } else { Some(Format::Compact) };
    let kept = request.request().clone();
    let answer = AssertUnwindSafe(answer(endpoint, format, request, next)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Ok(ServiceResponse::new(kept, ApiError::internal().error_response()))
    })?;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(endpoint.allow));
    match format {
        Some(Format::Indented(depth)) => Ok(indented(response, depth).await),
        _ => Ok(response),
    }
}

async fn answer(
    endpoint: &Endpoint,
    format: Option<Format>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let refusal = match format {
        None => Some(ApiError::detail(StatusCode::NOT_ACCEPTABLE, "Could not satisfy the request Accept header.")),
        Some(_) => check_access(endpoint.access, &request).await.err(),
    };
    match refusal {
        Some(refusal) => Ok(request.into_response(refusal.error_response())),
        None => Ok(next.call(request).await?.map_into_boxed_body()),
    }
}

async fn check_access(access: Access, request: &ServiceRequest) -> Result<(), ApiError> {
    if access == Access::Open {
        return Ok(());
    }
    let Some(token) = bearer_token(request.headers())? else {
        return if access == Access::Authenticated { Err(ApiError::not_authenticated()) } else { Ok(()) };
    };
    let app = request.app_data::<web::Data<App>>().ok_or_else(missing_app)?;
    let authenticated = match token {
        Ok(token) => app.tokens.authenticate(&token).await,
        Err(fault) => Err(AuthError::Token(fault)),
    };
    let caller = authenticated.map_err(|error| ApiError::at_guarded_path(error, app.settings.reasons))?;
    request.extensions_mut().insert(caller);
    Ok(())
}

fn missing_app() -> ApiError {
    tracing::error!("the application has no `App` data");
    ApiError::internal()
}

/// The token in the `Authorization` header; `None` without one, or with another scheme. Two headers are one too many.
fn bearer_token(headers: &HeaderMap) -> Result<Option<Result<RawToken, TokenFault>>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (Some(value), second) = (values.next(), values.next()) else { return Ok(None) };
    let mut parts = value.as_bytes().split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    if parts.next() != Some(SCHEME) {
        return Ok(None);
    }
    match (parts.next(), parts.next(), second) {
        (Some(token), None, None) => {
            let text = std::str::from_utf8(token).map_err(|_| TokenFault::NotOurs);
            Ok(Some(text.and_then(RawToken::parse)))
        }
        _ => {
            let detail = "Authorization header must contain two space-delimited values";
            Err(ApiError::coded(StatusCode::UNAUTHORIZED, detail, "bad_authorization_header"))
        }
    }
}

async fn indented(response: ServiceResponse<BoxBody>, depth: usize) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    // Our own bodies are in memory already; reading one cannot fail.
    let bytes = to_bytes(body).await.unwrap_or_default();
    let bytes = indent(&bytes, depth).map_or(bytes, Into::into);
    ServiceResponse::new(request, head.set_body(BoxBody::new(bytes)))
}

/// The bearer of the request's access token. A handler that asks for one on a route without
/// [`Access::Authenticated`] is answered 401.
#[derive(Clone, Debug)]
pub(crate) struct CurrentCaller(pub(crate) Caller);

impl FromRequest for CurrentCaller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.map(Self).ok_or_else(ApiError::not_authenticated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<bool>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let token = bearer_token(&headers).map_err(|error| error.status_code())?;
        Ok(token.map(|token| token.is_ok()))
    }

    #[test]
    fn every_shape_of_the_header() {
        const MALFORMED: Result<Option<bool>, StatusCode> = Err(StatusCode::UNAUTHORIZED);
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&[b"".as_slice()], Ok(None)),
            (&[b"Bearer a.b.c"], Ok(Some(true))),
            (&[b"Bearer  a.b.c"], Ok(Some(true))),
            (&[b"Bearer\ta.b.c"], Ok(Some(true))),
            (&[b"Bearer abc"], Ok(Some(false))),
            (&[b"Bearer \"a.b.c\""], Ok(Some(false))),
            (&[b"Bearer \xff\xfe"], Ok(Some(false))),
            (&[b"Bearer"], MALFORMED),
            (&[b"Bearer a.b.c x"], MALFORMED),
            (&[b"Bearer a.b.c", b"Bearer a.b.c"], MALFORMED),
            (&[b"bearer a.b.c"], Ok(None)),
            (&[b"BEARER a.b.c"], Ok(None)),
            (&[b"JWT a.b.c"], Ok(None)),
            (&[b"Basic YTpi"], Ok(None)),
            (&[b"a.b.c"], Ok(None)),
        ] {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }
}
