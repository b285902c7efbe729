//! The HTTP layer: actix-web routes, guards, error responses and the OpenAPI document.
//!
//! A handler reads a body into types, calls one service method, and writes a response. The rules are in `auth-core` and
//! `auth-accounts`; this crate implements the wire contract, which follows Django REST Framework and SimpleJWT.
//!
//! | subject | module |
//! |---|---|
//! | paths and their permission rules | [`routes`] |
//! | embedding in a host's application | [`routes::AuthRoutes`] |
//! | what an endpoint does | `handlers` |
//! | the order of checks | `middleware` |
//! | the caller and the permission rule of a route | [`CurrentUser`], [`ObjectPermission`], `guard` |
//! | the rate limit for requests without credentials | [`AnonymousThrottle`] |
//! | settings | [`HttpSettings`] |
//! | the header that carries an access token | [`CredentialHeader`] |
//! | the client IP behind proxies | [`TrustedProxies`] |
//! | limits and timeouts of connections | [`ConnectionLimits`], [`serve`](fn@serve) |
//! | request bodies | [`body`] (limits), `fields` (formats) |
//! | error responses | [`error`] |
//!
//! Modules depend on each other in one direction: `error`, `fields` and `settings` are below [`App`]; [`body`], `guard`,
//! `middleware` and `handlers` above it; [`routes`] above all.

pub mod app;
mod application;
pub mod body;
mod client;
mod connection;
mod detached;
mod endpoint;
pub mod error;
mod fields;
mod guard;
mod handlers;
mod media_type;
mod middleware;
mod moment;
mod openapi;
mod qr;
pub mod routes;
mod settings;
mod throttle;

pub use app::{AccountServices, App, AppState, Readiness};
pub use application::application;
pub use client::client as client_info;
pub use connection::{ConnectionLimits, ServeOptions, listen, serve};
pub use detached::run_to_completion;
pub use error::ApiError;
pub use guard::{CurrentUser, ObjectPermission};
pub use middleware::require;
pub use moment::rfc_3339;
pub use openapi::document as openapi_document;
pub use settings::{CredentialHeader, CredentialHeaderError, HttpSettings, TrustedProxies, TrustedProxyError};
pub use throttle::{AnonymousThrottle, Rate};
