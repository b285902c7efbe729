//! The middleware for what a host registers itself.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use auth_core::permission::Rule;

use super::add_own_headers;
use crate::guard::authorize_without_object;

/// Middleware for a scope or resource of a host's own: lets in whom a rule lets in. Nobody is the owner of anything here.
/// The application must have [`AuthRoutes`](crate::routes::AuthRoutes), else every request is refused. If it has several, say
/// which one is meant: [`AuthRoutes::app`](crate::routes::AuthRoutes::app).
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
