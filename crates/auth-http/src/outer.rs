//! What surrounds every request: its id and log line, the limits of its headers, the security headers of its answer.

use std::time::Instant;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App as Application, Error, ResponseError, web};
use tracing::Instrument;

use crate::app::App;
use crate::client::client_ip;
use crate::connection::Exchange;
use crate::error::{ApiError, OwnChallenge};
use crate::routes::AuthRoutes;

/// Longest header value, in bytes, as the reference peer has it.
const MAX_HEADER_LEN: usize = 8_190;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sent with every answer (SEC-093, SEC-094). `no-store` too: nearly every answer here is about one person, and the
/// others are small.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
];

/// A program with these routes and no others: no route can be added that has no rule. All other paths are answered 404.
///
/// ```no_run
/// # async fn run(routes: auth_http::routes::AuthRoutes) -> std::io::Result<()> {
/// let listener = auth_http::listen(([127, 0, 0, 1], 8000).into())?;
/// let options = auth_http::ServeOptions::default();
/// auth_http::serve(listener, &options, move || auth_http::application(&routes))?.await
/// # }
/// ```
///
/// `actix_web::HttpServer` can serve it too, with fewer limits for connections: see [`serve`](fn@crate::serve). A host adds
/// routes to an application of its own with [`AuthRoutes::configure`].
pub fn application(
    routes: &AuthRoutes,
) -> impl ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
+ use<> {
    let app = routes.app();
    let outer = from_fn(move |request, next| outer(app.clone(), request, next));
    Application::new().wrap(outer).configure(|config| routes.configure_alone(config)).into_factory()
}

/// Wraps the whole application.
///
/// A request ID that the client sends is kept if it is short and plain; otherwise the application generates one. It is in every
/// log record of the request, and in its answer.
async fn outer(
    app: web::Data<App>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let exchange = Exchange::begin(&mut request);
    let id = sent_request_id(request.headers()).map_or_else(|| app.state.next_request_id(), str::to_owned);
    let address = client_ip(request.peer_addr(), request.headers(), Some(&app));
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    // Security events are logged at every level, and so is what surrounds them.
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
    // The route, not the path: people put tokens into paths.
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

/// Adds what every answer of ours carries: the security headers, and the challenge of the scheme that is configured.
pub(crate) fn add_own_headers(response: &mut ServiceResponse<BoxBody>) {
    let is_challenged = response.response().extensions().contains::<OwnChallenge>();
    let app = response.request().app_data::<web::Data<App>>().filter(|_| is_challenged);
    let challenge = app.map(|app| app.settings.credentials.challenge().clone());
    let headers = response.headers_mut();
    if let Some(challenge) = challenge {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    for (name, value) in SECURITY_HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Wraps a route of ours that has no guard.
pub(crate) async fn with_own_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    add_own_headers(&mut response);
    Ok(response)
}

/// The request ID that the client sends, if it is short and plain.
fn sent_request_id(headers: &HeaderMap) -> Option<&str> {
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        for (sent, taken) in
            [("abc-1_2.3", true), ("a b", false), ("a\"b", false), ("", false), (&*"x".repeat(65), false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            assert_eq!(sent_request_id(&headers).is_some(), taken, "{sent:?}");
        }
    }
}
