//! The extractor with which handlers check permission for an object.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use auth_core::user::UserId;

use super::authorization::{PendingRule, enforce};
use crate::error::ApiError;

/// Extractor of the permission rule of the route. A handler that has looked up an object calls [`check`](Self::check) with
/// its owner before it changes or returns anything.
///
/// ```no_run
/// # use actix_web::{HttpResponse, web};
/// # use auth_core::user::UserId;
/// # use auth_http::{ApiError, ObjectPermission};
/// # struct Post { author: UserId }
/// # fn find(id: i64) -> Option<Post> { None }
/// async fn show(id: web::Path<i64>, permission: ObjectPermission) -> Result<HttpResponse, ApiError> {
///     let post = find(*id).ok_or_else(|| ApiError::not_found("No Post matches the given query."))?;
///     permission.check(&post.author)?; // 401 or 403, if the rule of the route says so.
///     Ok(HttpResponse::Ok().finish())
/// }
/// ```
pub struct ObjectPermission {
    request: HttpRequest,
    pending: PendingRule,
}

impl ObjectPermission {
    /// Checks that the request is allowed for an object of `owner`.
    ///
    /// # Errors
    /// If it is not allowed: 401 without credentials, otherwise 403.
    pub fn check(&self, owner: &UserId) -> Result<(), ApiError> {
        self.pending.is_checked.set(true);
        enforce(&self.pending.rule, &self.request, Some(owner))
    }
}

impl FromRequest for ObjectPermission {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pending = request.extensions().get::<PendingRule>().cloned();
        let found = pending.map(|pending| Self { request: request.clone(), pending });
        ready(found.ok_or_else(|| {
            tracing::error!("a handler extracts ObjectPermission on a route that is not an Endpoint");
            ApiError::internal()
        }))
    }
}
