//! The wire: actix-web routes, guards, error bodies and the OpenAPI document for `auth-core`.
//!
//! A handler translates: it reads a body into types, calls one service method, and writes an answer. What is allowed is
//! decided in `auth-core`; how it looks on the wire is decided here, after the contract of Django REST Framework and
//! SimpleJWT.
//!
//! | question | module |
//! |---|---|
//! | which paths are there, and who may call them | [`routes`] |
//! | in which order is a request checked | `gate` |
//! | how is a body read | [`body`] |
//! | how does a refusal look | [`error`] |

pub mod app;
pub mod body;
mod detached;
pub mod error;
mod gate;
mod handlers;
mod negotiation;
mod openapi;
mod outer;
pub mod routes;

pub use app::{App, HttpSettings, Readiness};
pub use openapi::document as openapi_document;
pub use outer::outer;
