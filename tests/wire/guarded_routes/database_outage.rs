//! Stopped and unreachable databases: guarded routes read the database or refuse, and changes made in the meantime take
//! effect afterwards.

use std::time::{Duration, Instant};

use auth_tests::answers::assert_unavailable;
use auth_tests::cases::{OnCluster, OnPostgres};
use auth_tests::concurrency::eventually;
use auth_tests::postgres::{Cluster, TestDatabase};
use auth_tests::tcp_proxy::{ProxyState, TcpProxy};
use auth_tests::{Database, ServerOptions, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::block_in_place;

use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnCluster => answers_503_while_the_database_is_stopped_and_recovers;
        OnPostgres =>
        changes_during_broken_connections_take_effect_afterwards,
        changes_during_stalled_connections_take_effect_afterwards,
    ]
}

fn with_short_timeouts(url: &str, when_stale: &str) -> ServerOptions {
    ServerOptions::new("development", Some(url))
        .env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "500")
        .env("AUTH__DATABASE__STATEMENT_TIMEOUT_MILLISECONDS", "1000")
        .env("AUTH__GUARDS__WHEN_STALE", when_stale)
}

/// How long a blog may use its auth cache after the invalidation feed has failed. It checks the feed several times per second;
/// the rest of this time is a margin for a busy machine. The entries themselves would last thirty seconds.
const MAX_STALE: Duration = Duration::from_secs(5);

/// Polls until a request gets a 503; until then the auth cache may answer, but not for long.
async fn wait_until_refused(blog: &Blog, pair: &TokenPair) {
    let since = Instant::now();
    eventually("the blog notices the gap", async || {
        let answer = blog.protected(&pair.access).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
        assert!(answer.status == 503 || since.elapsed() < MAX_STALE, "cached for {:?}", since.elapsed());
        answer.status == 503
    })
    .await;
}

/// Polls until a request is accepted; only 503 is allowed until then.
async fn wait_until_accepted(blog: &Blog, pair: &TokenPair) {
    eventually("the blog accepts requests again", async || {
        let answer = blog.protected(&pair.access).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
        answer.status == 200
    })
    .await;
}

async fn answers_503_while_the_database_is_stopped_and_recovers() {
    let mut cluster = block_in_place(Cluster::start);
    let url = cluster.url();
    // One blog per setting, on the same database.
    let blogs = [Blog::start(with_short_timeouts(&url, "read")), Blog::start(with_short_timeouts(&url, "refuse"))];
    let kept = blogs[0].client.register_and_login("stays").await;
    let ended = blogs[0].client.register_and_login("ended").await;
    assert_eq!(blogs[0].client.logout(&ended.access, json!({"all": true})).await.status, 200);
    for _ in 0..2 {
        for blog in &blogs {
            wait_until_accepted(blog, &kept).await;
        }
        block_in_place(|| cluster.stop());
        for blog in &blogs {
            wait_until_refused(blog, &kept).await;
            for _ in 0..5 {
                assert_unavailable("guarded", &blog.protected(&kept.access).await);
                assert_unavailable("guarded", &blog.protected(&ended.access).await);
            }
            // Anonymous requests and forged tokens need no read.
            assert_eq!(blog.client.get("/api/protected/").await.status, 401);
            assert_eq!(blog.protected("a.b.c").await.status, 401);
        }
        block_in_place(|| cluster.restart());
    }
    for blog in &blogs {
        wait_until_accepted(blog, &kept).await;
        eventually("the revoked session is refused", async || {
            let answer = blog.protected(&ended.access).await;
            assert_ne!(answer.status, 200, "{}", answer.text);
            answer.status == 401
        })
        .await;
    }
}

async fn changes_during_broken_connections_take_effect_afterwards(database: Database) {
    check_outage(&of_postgres(database), ProxyState::Broken).await;
}

async fn changes_during_stalled_connections_take_effect_afterwards(database: Database) {
    check_outage(&of_postgres(database), ProxyState::Stalled).await;
}

fn of_postgres(database: Database) -> TestDatabase {
    match database {
        Database::Postgres(database) => database,
        Database::Sqlite(_) => panic!("for PostgreSQL only"),
    }
}

async fn check_outage(database: &TestDatabase, state: ProxyState) {
    let (proxy, url) = TcpProxy::to(database.url());
    for when_stale in ["read", "refuse"] {
        let blog = Blog::start(with_short_timeouts(&url, when_stale));
        let kept = blog.client.register_and_login(&format!("stays{when_stale}")).await;
        let revoked = blog.client.register_and_login(&format!("ends{when_stale}")).await;
        for pair in [&kept, &revoked] {
            wait_until_accepted(&blog, pair).await;
        }
        proxy.set_state(state);
        block_in_place(|| {
            database.psql(&format!(
                "UPDATE sessions SET revoked_at = now(), revoke_reason = 'logout'
                 WHERE user_id = (SELECT id FROM users WHERE username = 'ends{when_stale}')"
            ))
        });
        // The blog misses the change, but soon notices the gap.
        wait_until_refused(&blog, &revoked).await;
        for _ in 0..3 {
            assert_unavailable("guarded", &blog.protected(&kept.access).await);
            assert_unavailable("guarded", &blog.protected(&revoked.access).await);
        }
        proxy.set_state(ProxyState::Forwarding);
        eventually("the revoked session is refused", async || {
            let answer = blog.protected(&revoked.access).await;
            assert_ne!(answer.status, 200, "{}", answer.text);
            answer.status == 401
        })
        .await;
        wait_until_accepted(&blog, &kept).await;
        assert_eq!(blog.protected(&revoked.access).await.status, 401);
    }
}
