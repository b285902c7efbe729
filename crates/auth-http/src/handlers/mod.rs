//! Handlers, one module for each resource. A handler converts between HTTP and the services; it contains no rules.

pub(crate) mod blacklist;
pub(crate) mod email;
pub(crate) mod health;
pub(crate) mod jwks;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod password;
mod profile_change;
pub(crate) mod refresh;
pub(crate) mod register;
pub(crate) mod schema;
pub(crate) mod second_factor;
pub(crate) mod second_factors;
pub(crate) mod sliding;
pub(crate) mod verify;

use serde::Serialize;
use utoipa::ToSchema;

/// An empty object.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct EmptyBody {}

/// What was done, for people.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = ToldBody)]
pub(crate) struct SuccessBody {
    /// What was done.
    detail: &'static str,
}

impl SuccessBody {
    pub(crate) const fn new(detail: &'static str) -> Self {
        Self { detail }
    }
}
