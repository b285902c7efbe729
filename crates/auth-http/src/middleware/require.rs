//! The middleware for scopes and resources that a host registers itself.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use auth_core::permission::Rule;

use super::add_own_headers;
use crate::guard::authorize_without_object;

/// Middleware that applies a permission rule to a scope or resource of the host. No caller counts as an owner.
///
/// The application must have [`AuthRoutes`](crate::routes::AuthRoutes), otherwise every request is refused. If it has
/// several, select one with [`AuthRoutes::app`](crate::routes::AuthRoutes::app).
///
/// ```no_run
/// use actix_web::{middleware::from_fn, web};
/// use auth_core::permission::Rule::IsAdmin;
/// let reports = web::scope("/reports").wrap(from_fn(|request, next| auth_http::require(IsAdmin, request, next)));
/// ```
pub async fn require(
    rule: Rule,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match authorize_without_object(&rule, &request).await {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(refusal) => {
            let mut response = request.into_response(refusal.error_response());
            add_own_headers(&mut response);
            Ok(response)
        }
    }
}
