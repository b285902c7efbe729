//! Logging to standard error.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::Log;
use crate::config::choice::LogFormat;

/// Starts logging. Security events are logged at every level. Errors while writing the log, such as a closed pipe or a full
/// disk, are ignored.
pub(crate) fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(format!("{},security=info", log.level))
        .map_err(|_| anyhow!("log.level: {:?} is not a level; use error, warn, info, debug or trace", log.level))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
    started.map_err(|error| anyhow!("log: {error}"))
}
