//! A database that is away, or out of hearing: a guarded route reads or refuses, and what happened meanwhile is known
//! afterwards.

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
        OnCluster => while_the_database_is_stopped_answers_are_503_and_afterwards_all_is_as_before;
        OnPostgres =>
        who_could_not_hear_obeys_afterwards,
        who_heard_nothing_obeys_afterwards,
    ]
}

fn impatient(url: &str, when_stale: &str) -> ServerOptions {
    ServerOptions::new("development", Some(url))
        .env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "500")
        .env("AUTH__DATABASE__STATEMENT_TIMEOUT_MILLISECONDS", "1000")
        .env("AUTH__GUARDS__WHEN_STALE", when_stale)
}

/// How long somebody may be let in from memory by a blog that no longer hears: it looks several times a second. The rest is
/// for a machine that is busy; the memory itself would last for thirty.
const DEAF: Duration = Duration::from_secs(5);

/// Asks until it is refused with 503; until then, it is remembered, but not for long.
async fn is_stale(blog: &Blog, pair: &TokenPair) {
    let since = Instant::now();
    eventually("the blog knows that it does not hear", async || {
        let answer = blog.protected(&pair.access).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
        assert!(answer.status == 503 || since.elapsed() < DEAF, "remembered for {:?}", since.elapsed());
        answer.status == 503
    })
    .await;
}

/// Asks until it is let in; never is anything but 200 and 503.
async fn is_back(blog: &Blog, pair: &TokenPair) {
    eventually("the blog lets people in again", async || {
        let answer = blog.protected(&pair.access).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
        answer.status == 200
    })
    .await;
}

async fn while_the_database_is_stopped_answers_are_503_and_afterwards_all_is_as_before() {
    let mut cluster = block_in_place(Cluster::start);
    let url = cluster.url();
    // Both at once, on one database.
    let blogs = [Blog::start(impatient(&url, "read")), Blog::start(impatient(&url, "refuse"))];
    let stays = blogs[0].client.newcomer("stays").await;
    let ended = blogs[0].client.newcomer("ended").await;
    assert_eq!(blogs[0].client.logout(&ended.access, json!({"all": true})).await.status, 200);
    for _ in 0..2 {
        for blog in &blogs {
            is_back(blog, &stays).await;
        }
        block_in_place(|| cluster.stop());
        for blog in &blogs {
            is_stale(blog, &stays).await;
            for _ in 0..5 {
                assert_unavailable("guarded", &blog.protected(&stays.access).await);
                assert_unavailable("guarded", &blog.protected(&ended.access).await);
            }
            // Who shows nothing needs nothing looked up; what is forged is not looked up.
            assert_eq!(blog.client.get("/api/protected/").await.status, 401);
            assert_eq!(blog.protected("a.b.c").await.status, 401);
        }
        block_in_place(|| cluster.restart());
    }
    for blog in &blogs {
        is_back(blog, &stays).await;
        eventually("the ended session is refused", async || {
            let answer = blog.protected(&ended.access).await;
            assert_ne!(answer.status, 200, "{}", answer.text);
            answer.status == 401
        })
        .await;
    }
}

async fn who_could_not_hear_obeys_afterwards(database: Database) {
    out_of_hearing(&of_postgres(database), ProxyState::Broken).await;
}

async fn who_heard_nothing_obeys_afterwards(database: Database) {
    out_of_hearing(&of_postgres(database), ProxyState::Silent).await;
}

fn of_postgres(database: Database) -> TestDatabase {
    match database {
        Database::Postgres(database) => database,
        Database::Sqlite(_) => panic!("for PostgreSQL only"),
    }
}

async fn out_of_hearing(database: &TestDatabase, state: ProxyState) {
    let (proxy, url) = TcpProxy::to(database.url());
    for when_stale in ["read", "refuse"] {
        let blog = Blog::start(impatient(&url, when_stale));
        let stays = blog.client.newcomer(&format!("stays{when_stale}")).await;
        let ends = blog.client.newcomer(&format!("ends{when_stale}")).await;
        for pair in [&stays, &ends] {
            is_back(&blog, pair).await;
        }
        proxy.becomes(state);
        block_in_place(|| {
            database.psql(&format!(
                "UPDATE sessions SET revoked_at = now(), revoke_reason = 'logout'
                 WHERE user_id = (SELECT id FROM users WHERE username = 'ends{when_stale}')"
            ))
        });
        // It has not heard, and soon it knows that.
        is_stale(&blog, &ends).await;
        for _ in 0..3 {
            assert_unavailable("guarded", &blog.protected(&stays.access).await);
            assert_unavailable("guarded", &blog.protected(&ends.access).await);
        }
        proxy.becomes(ProxyState::Forwards);
        eventually("the ended session is refused", async || {
            let answer = blog.protected(&ends.access).await;
            assert_ne!(answer.status, 200, "{}", answer.text);
            answer.status == 401
        })
        .await;
        is_back(&blog, &stays).await;
        assert_eq!(blog.protected(&ends.access).await.status, 401);
    }
}
