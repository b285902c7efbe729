//! The keys of another issuer, over HTTP.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_crypto::{KeyRing, KeySource, RemoteKeyRing, RemoteOptions};
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::http::{StatusCode, Uri};
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
            if answer.status() != StatusCode::OK {
                return Err(format!("the answer is {}", answer.status()).into());
            }
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
    let agent = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
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
    RemoteKeyRing::new(own, Box::new(HttpSource { agent, url: tokens.jwks_url.clone() }), options)
}

/// Whether keys from there are those that were published: by https, or from this machine. No password stands in it.
pub(crate) fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") => !host.is_empty() && !has_user,
        Some("http") => is_local && !has_user,
        _ => false,
    }
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
            assert_eq!(is_safe(url), accepted, "{url}");
        }
    }
}
