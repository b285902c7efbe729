//! `healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::config::Checked;

/// How long a server may take to say that it is ready.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(checked: &Checked) -> Result<()> {
    let url = format!("http://{}/readyz", reachable(checked.bind));
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    agent.get(&url).call().map_err(|error| anyhow!("{url}: {error}"))?;
    println!("ready");
    Ok(())
}

/// Where a server that listens on every address can be reached from this machine.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}
