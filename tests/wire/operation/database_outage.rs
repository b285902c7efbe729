//! An unreachable, stalled, locked or overloaded database: answers are 503 with `Retry-After`, and afterwards everything
//! works again without a restart (REL-004, REL-005, REL-016).

use std::sync::Arc;

use auth_tests::answers::assert_unavailable;
use auth_tests::cases::{OnBothDatabases, OnCluster};
use auth_tests::concurrency::{eventually, run_concurrently};
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
        answers_503_while_postgres_is_stopped_and_recovers,
        postgres_crashes_lose_no_acknowledged_writes,
        answers_503_while_postgres_is_stalled_and_recovers;
        OnBothDatabases =>
        writes_answer_503_while_tables_are_locked_and_recover,
        many_requests_on_one_connection_get_an_answer_or_503,
        many_concurrent_logins_get_an_answer_or_503,
    ]
}

/// Sets short timeouts for the database.
fn with_short_timeouts(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "1000");
    options.env("AUTH__DATABASE__STATEMENT_TIMEOUT_MILLISECONDS", "1500")
}

/// The sessions of a user before an outage.
struct Sessions {
    live: TokenPair,
    used: TokenPair,
    revoked: TokenPair,
}

impl Sessions {
    async fn create(api: &TestClient) -> Self {
        let used = api.register_and_login("owner").await;
        let live = TokenPair::of(&api.refresh(&used.refresh).await);
        let revoked = api.login("owner").await;
        let logout = api.logout(&revoked.access, json!({"refresh": revoked.refresh})).await;
        assert_eq!(logout.status, 200, "{}", logout.text);
        Self { live, used, revoked }
    }

    /// Checks that the sessions are unchanged and that everything works again.
    async fn check(&self, api: &TestClient) {
        assert_blacklisted(&api.refresh(&self.revoked.refresh).await);
        assert_blacklisted(&api.refresh(&self.used.refresh).await);
        assert_eq!(api.me(&self.live.access).await.status, 200);
        let next = TokenPair::of(&api.refresh(&self.live.refresh).await);
        assert_eq!(api.me(&next.access).await.status, 200);
        api.login("owner").await;
        api.register_and_login("afterwards").await;
    }
}

/// Sends every kind of request that needs the database, concurrently.
async fn all_requests(api: &TestClient, sessions: &Sessions) -> Vec<(&'static str, Answer)> {
    let TokenPair { access, refresh } = sessions.live.clone();
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
    let (mut answers, me, ready) = tokio::join!(run_concurrently(calls), me, ready);
    answers.extend([("/api/users/me/", me), ("/readyz", ready)]);
    answers
}

/// Checks the endpoints that need no database.
async fn assert_alive(api: &TestClient) {
    for path in ["/healthz", "/.well-known/jwks.json", "/api/schema/"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

async fn wait_until_ready(api: &TestClient) {
    eventually("the server is ready", async || api.get("/readyz").await.status == 200).await;
}

fn on_cluster(url: &str) -> ServerOptions {
    with_short_timeouts(ServerOptions::new("development", Some(url))).env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600")
}

async fn answers_503_while_postgres_is_stopped_and_recovers() {
    let mut cluster = block_in_place(Cluster::start);
    let url = cluster.url().replacen('@', ":its-password@", 1);
    let server = on_cluster(&url).start(SERVER);
    let api = TestClient::new(&server.url());
    let sessions = Sessions::create(&api).await;
    for _ in 0..2 {
        block_in_place(|| cluster.stop());
        // The first round meets breaking connections, the second one finds none.
        for _ in 0..2 {
            for (path, answer) in all_requests(&api, &sessions).await {
                assert_unavailable(path, &answer);
            }
            assert_alive(&api).await;
        }
        block_in_place(|| cluster.restart());
        wait_until_ready(&api).await;
    }
    sessions.check(&api).await;

    // A shutdown works during an outage as well. The log has the reason, but no password.
    block_in_place(|| cluster.stop());
    server.terminate();
    let status = block_in_place(|| server.wait());
    let log = server.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(r#""level":"ERROR""#) && log.contains("the storage is unavailable"), "{log}");
    assert!(!log.contains("its-password"), "{log}");
}

async fn postgres_crashes_lose_no_acknowledged_writes() {
    let mut cluster = block_in_place(Cluster::start);
    let server = on_cluster(&cluster.url()).env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER);
    let api = TestClient::new(&server.url());
    let ledger = Ledger::new();
    let mut clients = Client::create_all(&api, &ledger, 8).await;
    for crash in 0..3 {
        let working: JoinSet<_> = clients.into_iter().map(|client| client.work(api.clone())).collect();
        ledger.more_refreshes(100 + 7 * crash).await;
        block_in_place(|| cluster.stop());
        clients = working.join_all().await;
        block_in_place(|| cluster.restart());
        wait_until_ready(&api).await;
        for client in &mut clients {
            client.check(&api).await;
        }
    }
    assert!(clients.iter().all(|client| client.acknowledged() > 0), "some client has no acknowledged request");
}

async fn answers_503_while_postgres_is_stalled_and_recovers() {
    let cluster = block_in_place(Cluster::start);
    let (proxy, url) = TcpProxy::to(&cluster.url());
    let server = on_cluster(&url).start(SERVER);
    let api = TestClient::new(&server.url());
    let sessions = Sessions::create(&api).await;
    proxy.set_state(ProxyState::Stalled);
    // Only requests without effects: others would take effect when the proxy forwards again.
    for _ in 0..2 {
        let token = json!({"token": sessions.live.refresh});
        let login = json!({"username": "owner", "password": PASSWORD});
        let (ready, me, verify, login) = tokio::join!(
            api.get("/readyz"),
            api.me(&sessions.live.access),
            api.post("/api/token/verify/", None, token),
            api.post("/api/token/", None, login),
        );
        for (path, answer) in [("readyz", ready), ("me", me), ("verify", verify), ("login", login)] {
            assert_unavailable(path, &answer);
        }
        assert_alive(&api).await;
    }
    proxy.set_state(ProxyState::Forwarding);
    wait_until_ready(&api).await;
    sessions.check(&api).await;
}

/// Starts a server with a single database connection.
fn start_with_one_connection(database: &Database) -> TestServer {
    let options = with_short_timeouts(options(database, "development")).env("AUTH__DATABASE__POOL_SIZE", "1");
    options.env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER)
}

async fn writes_answer_503_while_tables_are_locked_and_recover(database: Database) {
    let database = Arc::new(database);
    let server = start_with_one_connection(&database);
    let api = TestClient::new(&server.url());
    let pair = api.register_and_login("owner").await;
    let lock = Lock::take(&database).await;
    for (path, answer) in send_writes(&api, &pair).await {
        assert_unavailable(path, &answer);
    }
    assert_alive(&api).await;
    if database.is_sqlite() {
        // The outbox may use the only connection from time to time.
        eventually("reads succeed", async || api.me(&pair.access).await.status == 200).await;
    }
    lock.release().await;
    eventually("writes succeed", async || api.refresh(&pair.refresh).await.status == 200).await;
    wait_until_ready(&api).await;
    let next = TokenPair::of(&api.refresh(&pair.refresh).await);
    assert_eq!(api.me(&next.access).await.status, 200);
    api.register_and_login("afterwards").await;
}

/// Sends twenty requests of each kind of write.
async fn send_writes(api: &TestClient, pair: &TokenPair) -> Vec<(&'static str, Answer)> {
    let login = json!({"username": "owner", "password": PASSWORD});
    let writes = [("/api/token/refresh/", json!({"refresh": pair.refresh})), ("/api/token/", login)];
    run_concurrently(writes.into_iter().cycle().take(40).map(|(path, body)| {
        let api = api.clone();
        async move { (path, api.post(path, None, body).await) }
    }))
    .await
}

async fn many_requests_on_one_connection_get_an_answer_or_503(database: Database) {
    let server = start_with_one_connection(&database);
    let api = TestClient::new(&server.url());
    let mut pairs = Vec::new();
    for n in 0..8 {
        pairs.push(api.register_and_login(&format!("visitor{n}")).await);
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
    for answer in run_concurrently(calls).await {
        if answer.status != 200 {
            assert_unavailable("overloaded", &answer);
        }
    }
    wait_until_ready(&api).await;
    for pair in &pairs {
        assert_eq!(api.me(&pair.access).await.status, 200);
        assert_eq!(api.refresh(&pair.refresh).await.status, 200);
    }
}

async fn many_concurrent_logins_get_an_answer_or_503(database: Database) {
    // Real hashing costs; one password is compared, one waits, and the others are refused.
    let options = without_login_delay(database.server("development").with_real_hashing())
        .env("AUTH__PASSWORDS__HASH_THREADS", "1");
    let server = options.env("AUTH__PASSWORDS__HASH_QUEUE", "1").start(SERVER);
    let api = TestClient::new(&server.url());
    let pair = api.register_and_login("visitor").await;
    let calls = (0..60).map(|n| {
        let (api, pair) = (api.clone(), pair.clone());
        async move {
            match n % 3 {
                0 => {
                    ("login", api.post("/api/token/", None, json!({"username": "visitor", "password": PASSWORD})).await)
                }
                1 => (
                    "unknown",
                    api.post("/api/token/", None, json!({"username": "unknown", "password": PASSWORD})).await,
                ),
                _ => ("me", api.me(&pair.access).await),
            }
        }
    });
    let answers = run_concurrently(calls).await;
    for (what, answer) in &answers {
        match (*what, answer.status.as_u16()) {
            ("login" | "me", 200) | ("unknown", 401) => {}
            ("me", _) => panic!("{}: {}", answer.status, answer.text),
            _ => assert_unavailable(what, answer),
        }
    }
    let refused = answers.iter().filter(|(_, answer)| answer.status == 503).count();
    assert!((1..40).contains(&refused), "{refused} answers with 503");
    api.login("visitor").await;
}
