//! Trusted proxies, and the client IP behind them.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose `X-Forwarded-For` header is trusted. From any other peer, the header is ignored (SEC-092).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Parses IP addresses (`192.0.2.1`, `2001:db8::1`) and networks (`10.0.0.0/8`). IPv4-mapped IPv6 addresses and networks
    /// (RFC 4291 §2.5.5.2) stand for those of IPv4.
    ///
    /// ```
    /// use auth_http::{TrustedProxies, TrustedProxyError};
    /// assert!(TrustedProxies::parse(["10.0.0.0/8", "::1"]).is_ok());
    /// assert_eq!(TrustedProxies::parse(["proxy.example"]), Err(TrustedProxyError::Malformed("proxy.example".to_owned())));
    /// assert_eq!(TrustedProxies::parse(["::/0"]), Err(TrustedProxyError::EveryAddress("::/0".to_owned())));
    /// ```
    ///
    /// # Errors
    /// [`TrustedProxyError`] for the first string that is neither, or if together they contain every IPv4 or IPv6 address.
    pub fn parse<S: AsRef<str>>(proxies: impl IntoIterator<Item = S>) -> Result<Self, TrustedProxyError> {
        let networks = proxies.into_iter().map(|proxy| network(proxy.as_ref())).collect::<Result<Vec<_>, _>>()?;
        // Several networks may contain every address together.
        match IpNet::aggregate(&networks).into_iter().find(|network| network.prefix_len() == 0) {
            Some(everything) => Err(TrustedProxyError::EveryAddress(everything.to_string())),
            None => Ok(Self(networks)),
        }
    }

    /// The networks of more than one address that contain public ones: anyone who controls such an address chooses the
    /// client IP of their requests.
    pub fn public_networks(&self) -> impl Iterator<Item = IpNet> {
        let is_single = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
        self.0.iter().copied().filter(move |network| !is_single(network) && !is_private(network))
    }

    /// Whether `address` belongs to a trusted proxy.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether the request has the header, but its peer is not trusted.
    pub(crate) fn ignores(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        headers.contains_key(FORWARDED_FOR) && !self.contains(peer.to_canonical())
    }

    /// Returns the client IP: the address of the peer, or, if that is a trusted proxy, the last address in the header that does
    /// not belong to one. The addresses before it are not trustworthy.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).map(|value| value.to_str().unwrap_or_default()).collect();
        // Each proxy appends the address of its peer, so the header is read from its end.
        let mut last = peer;
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let Some(address) = hop_address(hop.trim()) else { break };
            last = address;
            if !self.contains(address) {
                break;
            }
        }
        last
    }
}

/// Why a string does not name trusted proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedProxyError {
    /// It is neither an IP address nor a network.
    Malformed(String),
    /// It contains every address, so that each client could choose its client IP.
    EveryAddress(String),
}

impl fmt::Display for TrustedProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(proxy) => {
                write!(f, "{proxy:?} is not an IP address or network; use one such as 10.0.0.0/8 or ::1")
            }
            Self::EveryAddress(proxy) => {
                write!(f, "{proxy:?} contains every address; list the addresses or networks of your proxies")
            }
        }
    }
}

impl Error for TrustedProxyError {}

fn network(proxy: &str) -> Result<IpNet, TrustedProxyError> {
    let address = proxy.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| proxy.parse()).map_err(|_| TrustedProxyError::Malformed(proxy.to_owned()))?;
    let network = ipv4_of(network).unwrap_or(network);
    if network.prefix_len() == 0 { Err(TrustedProxyError::EveryAddress(proxy.to_owned())) } else { Ok(network) }
}

/// The IPv4 network that an IPv4-mapped IPv6 network stands for.
fn ipv4_of(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(mapped) = network else { return None };
    let prefix_len = mapped.prefix_len().checked_sub(96)?;
    Ipv4Net::new(mapped.addr().to_ipv4_mapped()?, prefix_len).ok().map(IpNet::V4)
}

/// Whether a network is part of one for private use: loopback, link-local, shared or private addresses.
fn is_private(network: &IpNet) -> bool {
    const PRIVATE: [&str; 9] = [
        "10.0.0.0/8",     // RFC 1918
        "172.16.0.0/12",  // RFC 1918
        "192.168.0.0/16", // RFC 1918
        "100.64.0.0/10",  // RFC 6598
        "127.0.0.0/8",    // RFC 1122 §3.2.1.3
        "169.254.0.0/16", // RFC 3927
        "::1/128",        // RFC 4291 §2.5.3
        "fc00::/7",       // RFC 4193
        "fe80::/10",      // RFC 4291 §2.5.6
    ];
    PRIVATE.iter().filter_map(|private| private.parse::<IpNet>().ok()).any(|private| private.contains(network))
}

/// Parses an address as proxies write it, with or without a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = hop.parse().ok().or_else(bracketed);
    address.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip())).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn refuses_networks_that_contain_every_address() {
        for proxy in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "203.0.113.9/0"] {
            assert_eq!(TrustedProxies::parse([proxy]), Err(TrustedProxyError::EveryAddress(proxy.to_owned())));
        }
        for (halves, all) in [(["0.0.0.0/1", "128.0.0.0/1"], "0.0.0.0/0"), (["::/1", "8000::/1"], "::/0")] {
            assert_eq!(TrustedProxies::parse(halves), Err(TrustedProxyError::EveryAddress(all.to_owned())));
        }
        for proxy in ["", "10.0.0.0/33", "10.0.0", "a/8", "10.0.0.0/8 "] {
            assert_eq!(TrustedProxies::parse([proxy]), Err(TrustedProxyError::Malformed(proxy.to_owned())));
        }
    }

    #[test]
    fn finds_public_networks() {
        for (proxy, is_public) in [
            ("10.1.0.0/16", false),
            ("172.16.0.0/12", false),
            ("172.16.0.0/11", true),
            ("127.0.0.1", false),
            ("203.0.113.9", false),
            ("203.0.113.0/24", true),
            ("::ffff:203.0.113.0/120", true),
            ("::ffff:10.0.0.0/104", false),
            ("fd00::/8", false),
            ("2001:db8::/32", true),
            ("::/1", true),
        ] {
            let proxies = TrustedProxies::parse([proxy]).unwrap();
            assert_eq!(proxies.public_networks().next().is_some(), is_public, "{proxy}");
        }
    }

    #[test]
    fn the_client_ip_is_the_last_address_that_is_not_a_trusted_proxy() {
        let trusted = TrustedProxies::parse(["10.0.0.0/8", "2001:db8::/64", "::ffff:192.168.0.0/112"]).unwrap();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.2.3.4"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8:1::1]:4711"], "2001:db8:1::1"),
            ("10.0.0.1", &["[2001:db8:1::1]"], "2001:db8:1::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("2001:db8::1", &["198.51.100.7"], "198.51.100.7"),
            ("192.168.7.7", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:192.168.7.7", &["198.51.100.7"], "198.51.100.7"),
            ("192.169.7.7", &["198.51.100.7"], "192.169.7.7"),
            // An invalid entry ends the search: nothing before it is trusted.
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, , 10.1.1.1"], "10.1.1.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
            }
            let client = trusted.client(peer.parse().unwrap(), &headers);
            assert_eq!(client.to_string(), expected, "{peer} {forwarded:?}");
        }
    }
}
