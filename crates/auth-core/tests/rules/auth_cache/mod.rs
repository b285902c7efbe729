//! The auth cache: the reads that it saves, and its invalidation.

mod entries;
mod feed_outages;
mod invalidation;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_accounts::service::{Action, Ports};
use auth_core::auth_cache::{AuthCache, AuthCachePolicy, WhenStale, follow};
use auth_core::ports::{Change, InvalidationFeed, Sessions};
use auth_core::service::{LogoutRequest, TokenPair, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, RevokeReason, SessionId};
use auth_core::user::GroupName;
use auth_core::{AuthError, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};

use crate::fixture::*;

const ACCOUNT_TTL: u64 = 30;

const ONE_ENTRY: AuthCachePolicy =
    AuthCachePolicy { ttl: Seconds::new(ACCOUNT_TTL), capacity: NonZeroUsize::MIN, when_stale: WhenStale::Read };

fn with_many_entries() -> AuthCachePolicy {
    AuthCachePolicy { capacity: NonZeroUsize::new(100).unwrap(), ..ONE_ENTRY }
}

/// A feed that returns what a test sends.
struct Scripted(UnboundedReceiver<Result<Vec<Change>, StoreError>>);

#[async_trait]
impl InvalidationFeed for Scripted {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        match self.0.recv().await {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}

/// A service with an auth cache, and the task that follows the feed for it.
struct CachedService {
    service: TestService,
    auth_cache: Arc<AuthCache>,
    feed: UnboundedSender<Result<Vec<Change>, StoreError>>,
    follower: JoinHandle<()>,
    failures: Arc<AtomicUsize>,
}

fn cached_service(policy: TokenPolicy, auth_cache: AuthCachePolicy) -> CachedService {
    let auth_cache = Arc::new(AuthCache::new(auth_cache));
    let service = builder(policy).ports(|ports| Ports { auth_cache: Some(auth_cache.clone()), ..ports }).build();
    let (feed, results) = unbounded_channel();
    let failures = Arc::new(AtomicUsize::new(0));
    let follower = tokio::spawn({
        let (auth_cache, clock, failures) = (auth_cache.clone(), service.clock.clone(), failures.clone());
        async move {
            let report = |_: &StoreError| {
                failures.fetch_add(1, Ordering::SeqCst);
            };
            follow(&auth_cache, &mut Scripted(results), clock.as_ref(), report).await;
        }
    });
    CachedService { service, auth_cache, feed, follower, failures }
}

impl CachedService {
    /// Makes the feed return a result, and waits until the cache has applied it.
    async fn feed_returns(&self, result: Result<Vec<Change>, StoreError>) {
        self.feed.send(result).unwrap();
        for _ in 0..20 {
            yield_now().await;
        }
    }

    async fn start(&self) {
        self.feed_returns(Ok(vec![Change::Gap])).await;
        assert_eq!(self.auth_cache.staleness(), None);
    }

    /// The number of reads that the authentication of a token costs, and whether the token is accepted.
    async fn cost(&self, token: &RawToken) -> (u64, bool) {
        let before = self.service.store.calls();
        let accepted = self.service.tokens.authenticate(token).await.is_ok();
        (self.service.store.calls() - before, accepted)
    }

    async fn register_and_login(&self, name: &str) -> TokenPair {
        self.service.register(name).await;
        self.service.login(name).await
    }

    fn session(&self, pair: &TokenPair) -> SessionId {
        SessionId::parse(self.service.claims(&access_of(pair))["sid"].as_str().unwrap()).unwrap()
    }
}
