//! The binary's parts: command line, configuration, wiring, start and stop. No rules: those are in `auth-core`.

pub mod application;
pub mod cli;
mod commands;
pub mod compose;
pub mod config;
mod events;
mod jwks;
mod keys;
mod logging;
mod serve;

pub use application::{Application, ServiceAlone};
pub use commands::run;
