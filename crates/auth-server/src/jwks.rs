//! The keys of another issuer, over HTTP.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use auth_crypto::{KeyRing, KeySource, RemoteKeyRing, RemoteOptions};
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::config::Tokens;

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The least time between two.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// Fetches a JWK set. Follows no redirect: keys are believed because of where they come from.
struct HttpSource {
    agent: Agent,
    url: String,
}

#[async_trait]
impl KeySource for HttpSource {
    async fn fetch(&self) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let (agent, url) = (self.agent.clone(), self.url.clone());
        tokio::task::spawn_blocking(move || {
            let mut answer = agent.get(url).header("Accept", "application/jwk-set+json, application/json").call()?;
            // One byte more, so that what is too long is refused, and not cut.
            Ok(answer.body_mut().with_config().limit(RemoteKeyRing::MAX_BYTES as u64 + 1).read_to_vec()?)
        })
        .await?
    }
}

/// A ring that accepts what the keys at the configured URL verify too.
pub(crate) fn with_remote_keys(own: KeyRing, tokens: &Tokens) -> RemoteKeyRing {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build();
    let agent = Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).tls_config(tls).build().into();
    let options = RemoteOptions {
        refresh_after: Duration::from_secs(tokens.jwks_refresh_seconds),
        max_age: Duration::from_secs(tokens.jwks_max_age_seconds),
        min_interval: MIN_INTERVAL,
        fetch_timeout: TIMEOUT,
        on_failure: Some(|error| tracing::warn!(%error, "the keys of tokens.jwks_url cannot be fetched")),
    };
    RemoteKeyRing::new(own, Box::new(HttpSource { agent, url: tokens.jwks_url.clone() }), options)
}

/// Keys that anybody on the way could change are no keys: https, or this machine.
pub(crate) fn check_url(url: &str) -> Result<()> {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let is_safe = match uri.as_ref().and_then(Uri::scheme_str) {
        Some("https") => !host.is_empty(),
        Some("http") => is_local,
        _ => false,
    };
    ensure!(is_safe, "tokens.jwks_url: has to begin with https:// (or http:// on this machine)");
    let has_user = uri.and_then(|uri| uri.authority().map(|authority| authority.as_str().contains('@')));
    ensure!(has_user != Some(true), "tokens.jwks_url: must hold no password");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for (url, accepted) in [
            ("https://issuer.example/jwks.json", true),
            ("https://issuer.example:8443/jwks.json?x=1", true),
            ("http://127.0.0.1:8000/jwks.json", true),
            ("http://localhost/jwks.json", true),
            ("http://[::1]:8000/jwks.json", true),
            ("http://issuer.example/jwks.json", false),
            ("http://127.0.0.1.issuer.example/", false),
            ("https://user:password@issuer.example/", false),
            ("https:///jwks.json", false),
            ("file:///etc/passwd", false),
            ("/jwks.json", false),
            ("issuer.example/jwks.json", false),
        ] {
            assert_eq!(check_url(url).is_ok(), accepted, "{url}");
        }
    }
}
