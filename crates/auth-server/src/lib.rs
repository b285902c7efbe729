//! The parts of the server program: command line, configuration, composition, startup and shutdown. The rules are in
//! `auth-core` and `auth-accounts`.

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
