//! Fetching the JWK set of another issuer over HTTP.

use std::cell::Cell;
use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_crypto::{KeyRing, KeySource, RemoteKeyRing, RemoteOptions};
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use url::{Host, Url};

use crate::config::Tokens;

/// Time limit for a fetch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest time between two fetches.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// Fetches a JWK set. Does not follow redirects, because the keys are trusted for the URL they come from.
struct HttpSource {
    agent: Agent,
    url: Url,
}

#[async_trait]
impl KeySource for HttpSource {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let (agent, url) = (self.agent.clone(), self.url.clone());
        tokio::task::spawn_blocking(move || {
            let mut response =
                agent.get(url.as_str()).header("Accept", "application/jwk-set+json, application/json").call()?;
            if response.status() != StatusCode::OK {
                return Err(format!("the response is {}", response.status()).into());
            }
            // One byte more than the limit, so that a longer document is refused and not truncated.
            Ok(response.body_mut().with_config().limit(RemoteKeyRing::MAX_BYTES as u64 + 1).read_to_vec()?)
        })
        .await?
    }
}

/// Creates a key ring that also accepts signatures of the keys at `url`.
pub(crate) fn with_remote_keys(own: KeyRing, url: Url, tokens: &Tokens) -> RemoteKeyRing {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build();
    let agent = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        // Ignores HTTPS_PROXY and similar variables.
        .proxy(None)
        .tls_config(tls)
        .build()
        .into();
    let options = RemoteOptions {
        refresh_after: Duration::from_secs(tokens.jwks_refresh_seconds),
        max_age: Duration::from_secs(tokens.jwks_max_age_seconds),
        min_interval: MIN_INTERVAL,
        fetch_timeout: TIMEOUT,
        on_failure: Some(|error| tracing::warn!(%error, "the keys of tokens.jwks_url cannot be fetched")),
    };
    RemoteKeyRing::new(own, Box::new(HttpSource { agent, url }), options)
}

/// What [`safe_url`] accepts, for error messages.
pub(crate) const SAFE_URL: &str = "a URL without a password that begins with https:// (or http:// on this machine)";

/// Parses a URL from which keys may be fetched: https, or http on this machine. Returns `None` if it has a username, a
/// password, or any other syntax violation that the parser would tolerate.
pub(crate) fn safe_url(url: &str) -> Option<Url> {
    let has_violation = Cell::new(false);
    let parsed = Url::options().syntax_violation_callback(Some(&|_| has_violation.set(true))).parse(url);
    let url = parsed.ok().filter(|_| !has_violation.get())?;
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(ip) => ip == Ipv4Addr::LOCALHOST,
        Host::Ipv6(ip) => ip == Ipv6Addr::LOCALHOST,
    };
    (url.scheme() == "https" || url.scheme() == "http" && is_local).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safe_url_is_https_or_on_this_machine() {
        for (url, accepted) in [
            ("https://issuer.example/jwks.json", true),
            ("https://issuer.example:8443/jwks.json?x=1", true),
            ("http://127.0.0.1:8000/jwks.json", true),
            ("http://localhost/jwks.json", true),
            ("http://[::1]:8000/jwks.json", true),
            ("http://issuer.example/jwks.json", false),
            ("http://127.0.0.1.issuer.example/", false),
            ("https://user:password@issuer.example/", false),
            ("https://@issuer.example/", false),
            ("https:///jwks.json", false),
            ("https:issuer.example/jwks.json", false),
            ("https:\\\\issuer.example/jwks.json", false),
            ("https://issuer.example/jwks .json", false),
            ("https://issuer.example/jwks.json\n", false),
            ("http://localhost.issuer.example/", false),
            ("http://localhost@issuer.example/", false),
            ("http://127.0.0.2/jwks.json", false),
            ("http://[::2]/jwks.json", false),
            ("file:///etc/passwd", false),
            ("/jwks.json", false),
            ("issuer.example/jwks.json", false),
        ] {
            assert_eq!(safe_url(url).is_some(), accepted, "{url}");
        }
    }
}
