//! The auth cache over HTTP: one read of the storage, and every change takes effect with the next request.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::{self, task::JoinHandle};
use async_trait::async_trait;
use auth_accounts::service::Action;
use auth_core::StoreError;
use auth_core::auth_cache::{AuthCache, WhenStale, follow};
use auth_core::ports::{Change, InvalidationFeed};
use auth_http::routes::{Endpoint, Routes, standard};
use auth_http::{CurrentUser, rfc_3339};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::fixture::*;

/// Time limit for what must happen.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A feed that reports one gap and then no more change events.
struct Silent(bool);

#[async_trait]
impl InvalidationFeed for Silent {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        match std::mem::replace(&mut self.0, true) {
            false => Ok(vec![Change::Gap]),
            true => std::future::pending().await,
        }
    }
}

/// Keeps the auth cache up to date until the returned handle is aborted. The cache is up to date on return.
async fn followed(
    fixture: &Fixture,
    auth_cache: &Arc<AuthCache>,
    mut feed: impl InvalidationFeed + 'static,
) -> JoinHandle<()> {
    let (clock, kept) = (fixture.service.clock.clone(), auth_cache.clone());
    let follower = rt::spawn(async move { follow(&kept, &mut feed, clock.as_ref(), |_| {}).await });
    let up_to_date = async {
        while auth_cache.staleness().is_some() {
            yield_now().await;
        }
    };
    assert!(timeout(TIME_LIMIT, up_to_date).await.is_ok(), "the cache does not follow the feed");
    follower
}

async fn whoami(user: CurrentUser) -> String {
    let since = rfc_3339(user.user().date_joined);
    format!("{} since {since}, {}", user.username(), if user.is_staff() { "staff" } else { "nobody" })
}

async fn client(fixture: &Fixture) -> TestClient {
    TestClient::of(fixture.application(Routes::new(standard()).with(Endpoint::new("/whoami/").get(whoami)))).await
}

#[actix_web::test]
async fn cached_requests_do_not_read_and_a_logout_applies_to_the_next_request() {
    let (fixture, auth_cache) = Fixture::cached(WhenStale::Read);
    let client = client(&fixture).await;
    followed(&fixture, &auth_cache, Silent(false)).await;
    for all in [false, true] {
        let name = if all { "alice" } else { "bob" };
        fixture.service.register(name).await;
        let pair = client.login(name).await.json();
        let token = pair["access"].as_str().unwrap().to_owned();
        let before = fixture.service.store.calls();
        assert_eq!(client.get("/whoami/", Some(&token)).await.status, 200);
        assert_eq!(fixture.service.store.calls(), before + 1, "only the first request reads");
        for _ in 0..1_000 {
            assert_eq!(client.get("/whoami/", Some(&token)).await.status, 200);
        }
        assert_eq!(fixture.service.store.calls(), before + 1);
        let answer = match all {
            true => client.post("/api/logout/", Some(&token), json!({"all": true})).await,
            false => client.post("/api/token/blacklist/", None, json!({"refresh": pair["refresh"]})).await,
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        client.get("/whoami/", Some(&token)).await.assert_refused(401, BAD_TOKEN);
    }
}

#[actix_web::test]
async fn a_profile_change_applies_to_the_next_request() {
    let (fixture, auth_cache) = Fixture::cached(WhenStale::Read);
    let client = client(&fixture).await;
    followed(&fixture, &auth_cache, Silent(false)).await;
    let token = fixture.access_token("alice").await;
    let who = async || client.get("/whoami/", Some(&token)).await.text;
    assert_eq!(who().await, "alice since 2001-09-09T01:46:40.000000Z, nobody");
    let patch = request(actix_web::http::Method::PATCH, "/api/users/me/", Some(&token));
    assert_eq!(client.send(patch.set_json(json!({"username": "alicia"}))).await.status, 200);
    assert_eq!(who().await, "alicia since 2001-09-09T01:46:40.000000Z, nobody");
}

#[actix_web::test]
async fn changes_by_other_processes_apply_once_the_feed_reports_them() {
    let (fixture, auth_cache) = Fixture::cached(WhenStale::Read);
    let client = client(&fixture).await;
    followed(&fixture, &auth_cache, fixture.service.store.changes()).await;
    let token = fixture.access_token("alice").await;
    let becomes = async |status: u16, part: &str| {
        let changed = async {
            loop {
                let answer = client.get("/whoami/", Some(&token)).await;
                if answer.status == status && answer.text.contains(part) {
                    return;
                }
                yield_now().await;
            }
        };
        assert!(timeout(TIME_LIMIT, changed).await.is_ok(), "it does not become {status} {part}");
    };
    becomes(200, "nobody").await;
    fixture.act("alice", Action::Promote).await;
    becomes(200, "staff").await;
    fixture.act("alice", Action::Demote).await;
    becomes(200, "nobody").await;
    fixture.act("alice", Action::Deactivate).await;
    becomes(401, "User is inactive").await;
    fixture.act("alice", Action::Activate).await;
    becomes(200, "nobody").await;
    fixture.act("alice", Action::Delete).await;
    becomes(401, "").await;
}

#[actix_web::test]
async fn a_stale_cache_reads_the_storage_or_refuses() {
    for (when_stale, status, reads) in [(WhenStale::Read, 200, 1), (WhenStale::Refuse, 503, 0)] {
        let (fixture, auth_cache) = Fixture::cached(when_stale);
        let client = client(&fixture).await;
        let token = fixture.access_token("alice").await;
        let cost = async || {
            let before = fixture.service.store.calls();
            let answer = client.get("/whoami/", Some(&token)).await;
            (answer, fixture.service.store.calls() - before)
        };
        let follower = followed(&fixture, &auth_cache, Silent(false)).await;
        assert_eq!((cost().await.0.status, cost().await.1), (200, 0));
        follower.abort();
        assert!(follower.await.unwrap_err().is_cancelled());
        for _ in 0..3 {
            let (answer, cost) = cost().await;
            assert_eq!((answer.status, cost), (status, reads), "{answer:?}");
            if status == 503 {
                assert_eq!(answer.json()["code"], "temporarily_unavailable");
                assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
            }
        }
        followed(&fixture, &auth_cache, Silent(false)).await;
        assert_eq!((cost().await.0.status, cost().await.1), (200, 0));
    }
}
