//! The caller, as a handler asks for them.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use auth_core::service::Caller;
use auth_core::user::{User, UserId};

use crate::error::ApiError;

/// The bearer of the request's access token. Where there is none, a handler that asks for one is answered 401; one that
/// asks for an `Option` of it gets `None`.
#[derive(Clone, Debug)]
pub struct CurrentUser(Caller);

impl CurrentUser {
    /// The ID of the user.
    pub const fn id(&self) -> &UserId {
        &self.0.user.id
    }

    /// The name of the account.
    pub fn username(&self) -> &str {
        &self.0.user.username
    }

    /// Whether the account is an administrator's.
    pub const fn is_staff(&self) -> bool {
        self.0.user.is_staff
    }

    /// The account, as it was at most a moment ago.
    pub const fn user(&self) -> &User {
        &self.0.user
    }

    /// The caller as the services take it.
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
