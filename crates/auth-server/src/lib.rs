//! The binary's parts: command line, configuration, wiring, start and stop. No rules: those are in `auth-core`.

mod address;
pub mod application;
mod application_secret;
pub mod cli;
mod commands;
pub mod compose;
pub mod config;
mod descriptors;
mod events;
mod jwks;
mod keys;
mod logging;
mod mail;
mod outbox;
mod serve;
mod storage;

pub use application::{Application, ServiceAlone};
pub use commands::run;
pub use events::LoggedEvents;
pub use storage::Storage;
