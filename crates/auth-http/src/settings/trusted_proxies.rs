//! Trusted proxies, and the client IP behind them.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose `X-Forwarded-For` header is trusted. From any other peer, the header is ignored (SEC-092).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Parses IP addresses (`192.0.2.1`, `2001:db8::1`) and networks (`10.0.0.0/8`).
    ///
    /// ```
    /// use auth_http::TrustedProxies;
    /// assert!(TrustedProxies::parse(&["10.0.0.0/8".to_owned(), "::1".to_owned()]).is_ok());
    /// assert_eq!(TrustedProxies::parse(&["proxy.example".to_owned()]), Err("proxy.example".to_owned()));
    /// ```
    ///
    /// # Errors
    /// The first string that is neither.
    pub fn parse(proxies: &[String]) -> Result<Self, String> {
        let parse = |proxy: &String| {
            let address = proxy.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| proxy.parse::<IpNet>()).map_err(|_| proxy.clone())
        };
        proxies.iter().map(parse).collect::<Result<_, _>>().map(Self)
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
    fn the_client_ip_is_the_last_address_that_is_not_a_trusted_proxy() {
        let trusted = TrustedProxies::parse(&["10.0.0.0/8".to_owned(), "2001:db8::/64".to_owned()]).unwrap();
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
