//! Middleware: for a whole application, for an [`Endpoint`](crate::endpoint::Endpoint), and for what a host registers with
//! actix-web itself.

mod application_middleware;
mod endpoint_middleware;
mod negotiation;
mod require;
mod response_headers;

pub(crate) use application_middleware::application_middleware;
pub(crate) use endpoint_middleware::endpoint_middleware;
pub use require::require;
use response_headers::add_own_headers;
pub(crate) use response_headers::with_own_headers;
