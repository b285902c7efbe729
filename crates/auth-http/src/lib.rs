//! The wire: actix-web routes, guards, error bodies and the OpenAPI document for `auth-core`.
//!
//! A handler translates: it reads a body into types, calls one service method, and writes an answer. What is allowed is
//! decided in `auth-core`; how it looks on the wire is decided here, after the contract of Django REST Framework and
//! SimpleJWT.
//!
//! | question | module |
//! |---|---|
//! | which paths there are, and who may call them | [`routes`] |
//! | how a host adds them to an application of its own | [`routes::AuthRoutes`] |
//! | what a path does | `handlers` |
//! | in which order a request is checked | `middleware` |
//! | who the caller is, and whether the rule of a route allows them | [`CurrentUser`], [`ObjectPermission`], `guard` |
//! | how many requests a client without credentials may make | [`AnonymousThrottle`] |
//! | what an operator sets | [`HttpSettings`] |
//! | which header brings a token | [`CredentialHeader`] |
//! | which client IP a request has behind proxies | [`TrustedProxies`] |
//! | how many connections there may be, and when each ends | [`ConnectionLimits`], [`serve`](fn@serve) |
//! | how a body is read | [`body`] within its limits, `fields` in its format |
//! | how a refusal looks, and which error becomes which refusal | [`error`] |
//!
//! Modules depend on each other in one direction: `error`, `fields` and `settings` lie below [`App`]; [`body`], `guard`,
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
