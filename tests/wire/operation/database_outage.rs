//! The database is unreachable, silent, locked or overloaded: 503 with `Retry-After` meanwhile, and afterwards all is as it
//! was, without a restart (REL-004, REL-005, REL-016).

use std::sync::Arc;

use auth_tests::answers::assert_unavailable;
use auth_tests::cases::{OnBothDatabases, OnCluster};
use auth_tests::concurrency::{at_once, eventually};
use auth_tests::postgres::Cluster;
use auth_tests::tcp_proxy::{ProxyState, TcpProxy};
use auth_tests::{Answer, Database, PASSWORD, ServerOptions, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::operation::fixture::{assert_blacklisted, options, without_login_delay};
use crate::operation::refresh_ledger::{Client, Ledger};
use crate::operation::table_lock::Lock;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnCluster =>
        while_postgres_is_stopped_answers_are_503_and_afterwards_all_is_as_before,
        nothing_acknowledged_is_lost_when_postgres_crashes_under_load,
        while_postgres_is_silent_answers_are_503_and_afterwards_all_is_as_before;
        OnBothDatabases =>
        while_somebody_else_holds_the_tables_writes_are_503_and_afterwards_they_work,
        a_crowd_at_one_connection_is_served_or_told_to_come_back,
        a_crowd_that_logs_in_is_served_or_told_to_come_back,
    ]
}

/// A server that does not wait long for its database.
fn impatient(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "1000");
    options.env("AUTH__DATABASE__STATEMENT_TIMEOUT_MILLISECONDS", "1500")
}

/// What somebody had before an outage.
struct Possessions {
    live: TokenPair,
    spent: TokenPair,
    ended: TokenPair,
}

impl Possessions {
    async fn acquire(api: &TestClient) -> Self {
        let spent = api.newcomer("owner").await;
        let live = TokenPair::of(&api.refresh(&spent.refresh).await);
        let ended = api.login("owner").await;
        let logout = api.logout(&ended.access, json!({"refresh": ended.refresh})).await;
        assert_eq!(logout.status, 200, "{}", logout.text);
        Self { live, spent, ended }
    }

    /// All is as it was; and everything can be done that could be done before.
    async fn check(&self, api: &TestClient) {
        assert_blacklisted(&api.refresh(&self.ended.refresh).await);
        assert_blacklisted(&api.refresh(&self.spent.refresh).await);
        assert_eq!(api.me(&self.live.access).await.status, 200);
        let next = TokenPair::of(&api.refresh(&self.live.refresh).await);
        assert_eq!(api.me(&next.access).await.status, 200);
        api.login("owner").await;
        api.newcomer("afterwards").await;
    }
}

/// Every request that needs the database, at once.
async fn all_requests(api: &TestClient, mine: &Possessions) -> Vec<(&'static str, Answer)> {
    let TokenPair { access, refresh } = mine.live.clone();
    let login = json!({"username": "owner", "password": PASSWORD});
    let registration = json!({
        "username": "meanwhile", "email": "meanwhile@example.com", "first_name": "Al",
        "password": PASSWORD, "password2": PASSWORD,
    });
    let calls = [
        ("/api/token/", None, login),
        ("/api/token/refresh/", None, json!({"refresh": refresh})),
        ("/api/token/verify/", None, json!({"token": refresh})),
        ("/api/token/blacklist/", None, json!({"refresh": refresh})),
        ("/api/logout/", Some(access.clone()), json!({"all": true})),
        ("/api/register/", None, registration),
    ];
    let calls = calls.map(|(path, bearer, body)| {
        let api = api.clone();
        async move { (path, api.post(path, bearer.as_deref(), body).await) }
    });
    let (me, ready) = (api.me(&access), api.get("/readyz"));
    let (mut answers, me, ready) = tokio::join!(at_once(calls), me, ready);
    answers.extend([("/api/users/me/", me), ("/readyz", ready)]);
    answers
}

/// What needs no database goes on.
async fn is_alive(api: &TestClient) {
    for path in ["/healthz", "/.well-known/jwks.json", "/api/schema/"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

async fn is_ready(api: &TestClient) {
    eventually("the server is ready", async || api.get("/readyz").await.status == 200).await;
}

fn on_cluster(url: &str) -> ServerOptions {
    impatient(ServerOptions::new("development", Some(url))).env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600")
}

async fn while_postgres_is_stopped_answers_are_503_and_afterwards_all_is_as_before() {
    let mut cluster = block_in_place(Cluster::start);
    let url = cluster.url().replacen('@', ":its-password@", 1);
    let server = on_cluster(&url).start(SERVER);
    let api = TestClient::new(&server.url());
    let mine = Possessions::acquire(&api).await;
    for _ in 0..2 {
        block_in_place(|| cluster.stop());
        // Twice: the first answers come from connections that break, the second ones find none.
        for _ in 0..2 {
            for (path, answer) in all_requests(&api, &mine).await {
                assert_unavailable(path, &answer);
            }
            is_alive(&api).await;
        }
        block_in_place(|| cluster.restart());
        is_ready(&api).await;
    }
    mine.check(&api).await;

    // It can be told to stop meanwhile as well. The operator was told why it failed, and no password.
    block_in_place(|| cluster.stop());
    server.terminate();
    let status = block_in_place(|| server.wait());
    let log = server.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(r#""level":"ERROR""#) && log.contains("the storage is not available"), "{log}");
    assert!(!log.contains("its-password"), "{log}");
}

async fn nothing_acknowledged_is_lost_when_postgres_crashes_under_load() {
    let mut cluster = block_in_place(Cluster::start);
    let server = on_cluster(&cluster.url()).env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER);
    let api = TestClient::new(&server.url());
    let ledger = Ledger::new();
    let mut crowd = Client::crowd(&api, &ledger, 8).await;
    for crash in 0..3 {
        let working: JoinSet<_> = crowd.into_iter().map(|client| client.work(api.clone())).collect();
        ledger.more_refreshes(100 + 7 * crash).await;
        block_in_place(|| cluster.stop());
        crowd = working.join_all().await;
        block_in_place(|| cluster.restart());
        is_ready(&api).await;
        for client in &mut crowd {
            client.check(&api).await;
        }
    }
    assert!(crowd.iter().all(|client| client.acknowledged() > 0), "some client got nothing done");
}

async fn while_postgres_is_silent_answers_are_503_and_afterwards_all_is_as_before() {
    let cluster = block_in_place(Cluster::start);
    let (proxy, url) = TcpProxy::to(&cluster.url());
    let server = on_cluster(&url).start(SERVER);
    let api = TestClient::new(&server.url());
    let mine = Possessions::acquire(&api).await;
    proxy.becomes(ProxyState::Silent);
    // Nothing that changes anything: it would have its effect when the wire is let go.
    for _ in 0..2 {
        let token = json!({"token": mine.live.refresh});
        let login = json!({"username": "owner", "password": PASSWORD});
        let (ready, me, verify, login) = tokio::join!(
            api.get("/readyz"),
            api.me(&mine.live.access),
            api.post("/api/token/verify/", None, token),
            api.post("/api/token/", None, login),
        );
        for (path, answer) in [("readyz", ready), ("me", me), ("verify", verify), ("login", login)] {
            assert_unavailable(path, &answer);
        }
        is_alive(&api).await;
    }
    proxy.becomes(ProxyState::Forwards);
    is_ready(&api).await;
    mine.check(&api).await;
}

/// A server with one connection.
fn narrow(database: &Database) -> TestServer {
    let options = impatient(options(database, "development")).env("AUTH__DATABASE__POOL_SIZE", "1");
    options.env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER)
}

async fn while_somebody_else_holds_the_tables_writes_are_503_and_afterwards_they_work(database: Database) {
    let database = Arc::new(database);
    let server = narrow(&database);
    let api = TestClient::new(&server.url());
    let pair = api.newcomer("owner").await;
    let lock = Lock::take(&database).await;
    for (path, answer) in refused_meanwhile(&api, &pair).await {
        assert_unavailable(path, &answer);
    }
    is_alive(&api).await;
    if database.is_sqlite() {
        // Also while the outbox holds the one connection now and then.
        eventually("reading goes on", async || api.me(&pair.access).await.status == 200).await;
    }
    lock.release().await;
    eventually("writes work", async || api.refresh(&pair.refresh).await.status == 200).await;
    is_ready(&api).await;
    let next = TokenPair::of(&api.refresh(&pair.refresh).await);
    assert_eq!(api.me(&next.access).await.status, 200);
    api.newcomer("afterwards").await;
}

/// Twenty of each write.
async fn refused_meanwhile(api: &TestClient, pair: &TokenPair) -> Vec<(&'static str, Answer)> {
    let login = json!({"username": "owner", "password": PASSWORD});
    let writes = [("/api/token/refresh/", json!({"refresh": pair.refresh})), ("/api/token/", login)];
    at_once(writes.into_iter().cycle().take(40).map(|(path, body)| {
        let api = api.clone();
        async move { (path, api.post(path, None, body).await) }
    }))
    .await
}

async fn a_crowd_at_one_connection_is_served_or_told_to_come_back(database: Database) {
    let server = narrow(&database);
    let api = TestClient::new(&server.url());
    let mut pairs = Vec::new();
    for n in 0..8 {
        pairs.push(api.newcomer(&format!("visitor{n}")).await);
    }
    let calls = pairs.iter().cycle().take(400).enumerate().map(|(n, pair)| {
        let (api, pair) = (api.clone(), pair.clone());
        async move {
            match n % 3 {
                0 => api.me(&pair.access).await,
                1 => api.refresh(&pair.refresh).await,
                _ => api.post("/api/token/verify/", None, json!({"token": pair.access})).await,
            }
        }
    });
    for answer in at_once(calls).await {
        if answer.status != 200 {
            assert_unavailable("in the crowd", &answer);
        }
    }
    is_ready(&api).await;
    for pair in &pairs {
        assert_eq!(api.me(&pair.access).await.status, 200);
        assert_eq!(api.refresh(&pair.refresh).await.status, 200);
    }
}

async fn a_crowd_that_logs_in_is_served_or_told_to_come_back(database: Database) {
    // Passwords cost what they do in production; one is compared, one waits, and that is all.
    let options = without_login_delay(database.server("development").with_real_hashing())
        .env("AUTH__PASSWORDS__HASH_THREADS", "1");
    let server = options.env("AUTH__PASSWORDS__HASH_QUEUE", "1").start(SERVER);
    let api = TestClient::new(&server.url());
    let pair = api.newcomer("visitor").await;
    let calls = (0..60).map(|n| {
        let (api, pair) = (api.clone(), pair.clone());
        async move {
            match n % 3 {
                0 => {
                    ("login", api.post("/api/token/", None, json!({"username": "visitor", "password": PASSWORD})).await)
                }
                1 => {
                    ("nobody", api.post("/api/token/", None, json!({"username": "nobody", "password": PASSWORD})).await)
                }
                _ => ("me", api.me(&pair.access).await),
            }
        }
    });
    let answers = at_once(calls).await;
    for (what, answer) in &answers {
        match (*what, answer.status.as_u16()) {
            ("login" | "me", 200) | ("nobody", 401) => {}
            ("me", _) => panic!("{}: {}", answer.status, answer.text),
            _ => assert_unavailable(what, answer),
        }
    }
    let refused = answers.iter().filter(|(_, answer)| answer.status == 503).count();
    assert!((1..40).contains(&refused), "{refused} were told to come back");
    api.login("visitor").await;
}
