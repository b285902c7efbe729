//! `healthcheck`.

use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::address::reachable;
use crate::config::Checked;

/// Time limit for the response of the server.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(checked: &Checked) -> Result<()> {
    let url = format!("http://{}/readyz", reachable(checked.bind));
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    agent.get(&url).call().map_err(|error| anyhow!("{url}: {error}"))?;
    println!("ready");
    Ok(())
}
