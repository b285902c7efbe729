//! The middleware of an endpoint. It checks a request in the order of docs/wire-contract.md, section 6: `Accept`, access
//! token, permission rule, rate limit; then the resource checks the method, and the handler the body.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::FutureExt;

use super::add_own_headers;
use super::negotiation::{Format, indent, negotiate};
use crate::body::OwnRoute;
use crate::endpoint::{Description, Endpoint};
use crate::error::ApiError;
use crate::guard::{Authorization, authorize, throttle};

/// Checks a request before its handler runs, and answers 500 if the handler panics.
pub(crate) async fn endpoint_middleware(
    endpoint: Arc<Endpoint>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let format = if endpoint.is_named() { negotiate(request.headers()) } else { Some(Format::Compact) };
    if endpoint.is_own() {
        request.extensions_mut().insert(OwnRoute);
    }
    let kept = request.request().clone();
    let answer = AssertUnwindSafe(answer(&endpoint, format, request, next)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Ok(ServiceResponse::new(kept, ApiError::internal().error_response()))
    })?;
    response.headers_mut().insert(header::ALLOW, endpoint.allow_header());
    add_own_headers(&mut response);
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
    let checked = match format {
        None => Err(ApiError::detail(StatusCode::NOT_ACCEPTABLE, "Could not satisfy the request Accept header.")),
        Some(_) => check(endpoint, &request).await,
    };
    let authorization = match checked {
        Ok(authorization) => authorization,
        Err(refusal) => return Ok(request.into_response(refusal.error_response())),
    };
    let response = next.call(request).await?.map_into_boxed_body();
    match authorization {
        Authorization::LeftToHandler(ownership)
            if ownership.is_missing() && !is_description(&response) && reveals_object(&response) =>
        {
            tracing::error!(
                path = endpoint.path(),
                "the handler did not check its ObjectPermission; response withheld"
            );
            let (request, _) = response.into_parts();
            Ok(ServiceResponse::new(request, ApiError::internal().error_response()))
        }
        _ => Ok(response),
    }
}

async fn check(endpoint: &Endpoint, request: &ServiceRequest) -> Result<Authorization, ApiError> {
    let authorization = authorize(endpoint.required_rule(), endpoint.reads_credentials(), request).await?;
    if endpoint.is_named() {
        throttle(request)?;
    }
    Ok(authorization)
}

/// Whether this is the response to `OPTIONS`, which shows no object.
fn is_description(response: &ServiceResponse<BoxBody>) -> bool {
    response.response().extensions().contains::<Description>()
}

/// Whether a response may show an object: any status but 4xx and 5xx.
fn reveals_object(response: &ServiceResponse<BoxBody>) -> bool {
    let status = response.status();
    status.is_informational() || status.is_success() || status.is_redirection()
}

async fn indented(response: ServiceResponse<BoxBody>, depth: usize) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    // The bodies of this crate are in memory, so reading one cannot fail.
    let bytes = to_bytes(body).await.unwrap_or_default();
    let bytes = indent(&bytes, depth).map_or(bytes, Into::into);
    ServiceResponse::new(request, head.set_body(BoxBody::new(bytes)))
}
