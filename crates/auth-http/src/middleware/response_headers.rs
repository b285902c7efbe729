//! Headers of every response: security headers, and the challenge of a 401.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::app::App;
use crate::error::OwnChallenge;

/// Sent with every response unless the handler has set the header (SEC-093, SEC-094).
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Adds the security headers, and replaces the challenge of a 401 by that of the configured scheme.
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

/// Middleware for routes of the service that have no guard.
pub(crate) async fn with_own_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    add_own_headers(&mut response);
    Ok(response)
}
