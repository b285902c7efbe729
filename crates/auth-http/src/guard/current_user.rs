//! The extractor of the caller.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use auth_core::service::Caller;
use auth_core::user::{User, UserId};

use crate::error::ApiError;

/// Extractor of the caller. Without a caller, the request is answered 401; extract an `Option<CurrentUser>` to handle that
/// case.
#[derive(Clone, Debug)]
pub struct CurrentUser(Caller);

impl CurrentUser {
    /// The user ID.
    pub const fn id(&self) -> &UserId {
        &self.0.user.id
    }

    /// The username.
    pub fn username(&self) -> &str {
        &self.0.user.username
    }

    /// Whether the user is staff.
    pub const fn is_staff(&self) -> bool {
        self.0.user.is_staff
    }

    /// The user, possibly from the auth cache.
    pub const fn user(&self) -> &User {
        &self.0.user
    }

    /// The caller, as an argument of the services.
    pub const fn caller(&self) -> &Caller {
        &self.0
    }

    pub(crate) fn into_caller(self) -> Caller {
        self.0
    }
}

impl FromRequest for CurrentUser {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.map(Self).ok_or_else(ApiError::not_authenticated))
    }
}
