//! The rule of a route, as a handler asks for it that has found the object.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use auth_core::user::UserId;

use super::authorization::{Pending, settle};
use crate::error::ApiError;

/// The rule of the route, for a handler that has found the object and knows whose it is. To be asked before anything is
/// changed.
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
    pending: Pending,
}

impl ObjectPermission {
    /// Whether the requester may do this to an object of `owner`.
    ///
    /// # Errors
    /// 401 without credentials, else 403.
    pub fn check(&self, owner: &UserId) -> Result<(), ApiError> {
        self.pending.is_checked.set(true);
        settle(&self.pending.rule, &self.request, Some(owner))
    }
}

impl FromRequest for ObjectPermission {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pending = request.extensions().get::<Pending>().cloned();
        let found = pending.map(|pending| Self { request: request.clone(), pending });
        ready(found.ok_or_else(|| {
            tracing::error!("a handler asks for the rule of a route that has none");
            ApiError::internal()
        }))
    }
}
