//! The routes: every path with its methods and its permission rule, as a table that can be printed and compared.
//!
//! An application adds its own endpoints to those of the service:
//!
//! ```
//! use actix_web::{HttpResponse, Responder};
//! use auth_core::permission::Rule::{AllowAny, IsAdmin};
//! use auth_http::CurrentUser;
//! use auth_http::routes::{Endpoint, Routes, standard};
//!
//! async fn hello(user: CurrentUser) -> impl Responder {
//!     HttpResponse::Ok().body(user.username().to_owned())
//! }
//! async fn report() -> impl Responder {
//!     HttpResponse::Ok().body("all is well")
//! }
//!
//! let routes = Routes::new(standard())
//!     .with(Endpoint::new("/api/hello/").get(hello)) // Without a rule: IsAuthenticated.
//!     .with(Endpoint::new("/api/report/").rule(IsAdmin).get(report))
//!     .build()
//!     .unwrap();
//! assert!(routes.to_string().contains("/api/report/"));
//! // A rule for an unknown path, and a rule that refuses every request, are errors.
//! assert!(Routes::new(standard()).rule_for("/api/nowhere/", IsAdmin).build().is_err());
//! assert!(Routes::new(standard()).rule_for("/api/logout/", !AllowAny).build().is_err());
//! ```

mod auth_routes;
mod auth_routes_builder;
mod builder;
mod error;
mod pattern;
mod prefix;
mod standard;
mod table;
mod unknown;

pub use auth_routes::AuthRoutes;
pub use auth_routes_builder::AuthRoutesBuilder;
pub use builder::Routes;
pub use error::RouteError;
pub use standard::{sliding, standard};
pub use table::RouteTable;

pub use crate::endpoint::Endpoint;
