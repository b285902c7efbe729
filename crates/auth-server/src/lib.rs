//! The binary's parts: command line, configuration, wiring, start and stop. No rules: those are in `auth-core`.

pub mod cli;
mod commands;
pub mod compose;
pub mod config;
mod events;
mod keys;
mod logging;
mod serve;

pub use commands::run;
