//! The wire: actix-web routes, guards, error bodies and the OpenAPI document for `auth-core`.
//!
//! A handler translates: it reads a body into types, calls one service method, and writes an answer. What is allowed is
//! decided in `auth-core`; how it looks on the wire is decided here, after the contract of Django REST Framework and
//! SimpleJWT.
//!
//! | question | module |
//! |---|---|
//! | which paths are there, and who may call them | [`routes`] |
//! | how does a host add them to an application of its own | [`routes::AuthRoutes`] |
//! | in which order is a request checked | `middleware` |
//! | who asks, and whether the rule of a route lets them | [`CurrentUser`], [`ObjectPermission`], `guard` |
//! | how many requests may somebody unknown make | [`AnonymousThrottle`] |
//! | which header brings a token | [`CredentialHeader`] |
//! | who is at the other end, also behind proxies | [`TrustedProxies`] |
//! | how many connections may there be, and when does each end | [`ConnectionLimits`], [`serve`](fn@serve) |
//! | how is a body read | [`body`] |
//! | how does a refusal look | [`error`] |

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
pub use detached::to_its_end;
pub use error::ApiError;
pub use guard::{CurrentUser, ObjectPermission};
pub use middleware::require;
pub use moment::rfc_3339;
pub use openapi::document as openapi_document;
pub use settings::{CredentialHeader, CredentialHeaderError, HttpSettings, TrustedProxies};
pub use throttle::{AnonymousThrottle, Rate};
