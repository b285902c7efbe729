//! The middleware for every request of an application: request ID, log record, and the limit on headers.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use tracing::Instrument;

use super::add_own_headers;
use crate::app::App;
use crate::client::client_ip;
use crate::connection::Exchange;
use crate::error::ApiError;

/// Longest header value, in bytes, as in the reference implementation.
const MAX_HEADER_LEN: usize = 8_190;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the whole application.
///
/// A request ID sent by the client is kept if it has 1 to 64 characters of `A-Z a-z 0-9 - _ .`; otherwise one is generated.
/// It appears in every log record of the request and in the response.
pub(crate) async fn application_middleware(
    app: web::Data<App>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange::begin(&mut request);
    let id = received_request_id(request.headers()).map_or_else(|| app.state.next_request_id(), str::to_owned);
    let address = client_ip(request.peer_addr(), request.headers(), Some(&app));
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    // Security events are logged at every log level, and so must be the span that holds the client IP.
    let span = tracing::info_span!(target: "security", "request", request_id = id, address);
    let response = answer_and_log(id, request, next).instrument(span).await?;
    Ok(exchange.finish(response).await)
}

async fn answer_and_log(
    id: String,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let mut response = answer(request, next).await?;
    add_own_headers(&mut response);
    // Log the route and not the path, because clients put tokens into paths.
    let route = response.request().match_pattern();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    let (status, milliseconds) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
    tracing::info!(%method, route, status, milliseconds, "answered");
    Ok(response)
}

async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.headers().iter().any(|(_, value)| value.len() > MAX_HEADER_LEN) {
        let error = ApiError::detail(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request header is too large.");
        return Ok(request.into_response(error.error_response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The request ID sent by the client, if it is acceptable.
fn received_request_id(headers: &HeaderMap) -> Option<&str> {
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_kept() {
        for (sent, kept) in
            [("abc-1_2.3", true), ("a b", false), ("a\"b", false), ("", false), (&*"x".repeat(65), false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            assert_eq!(received_request_id(&headers).is_some(), kept, "{sent:?}");
        }
    }
}
