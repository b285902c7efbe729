//! Starts and stops: what the first start creates, and that a stop signal completes running requests (REL-015, REL-019).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use auth_tests::cases::{OnBothDatabases, OnBothEmptyDatabases, OnSqlite, Once};
use auth_tests::concurrency::eventually;
use auth_tests::{Database, PASSWORD, ServerOptions, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place, spawn_blocking};

use crate::SERVER;
use crate::operation::fixture::{assert_blacklisted, options};

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnSqlite =>
            sigterm_answers_running_requests_and_refuses_new_ones,
            open_connections_do_not_delay_the_shutdown,
            an_unfinished_request_is_cancelled_at_the_shutdown_timeout,
            sigint_stops_the_server;
        Once =>
            the_first_start_generates_a_key_for_later_starts;
        OnBothDatabases =>
            a_signal_right_after_the_start_stops_the_server,
            sigterm_under_load_loses_no_answers;
        OnBothEmptyDatabases =>
            concurrent_first_starts_share_tables_and_key]
}

/// Waits until the port is closed.
async fn wait_until_port_is_closed(server: &TestServer) {
    let address = server.address();
    eventually("connections are refused", async || {
        TcpStream::connect(address).await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    })
    .await;
}

fn assert_clean_exit(server: &mut TestServer) {
    let status = block_in_place(|| server.wait());
    assert_eq!(status.code(), Some(0), "{status:?}\n{}", server.log());
}

/// A registration request of which half the body has been sent.
struct UnfinishedRequest {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl UnfinishedRequest {
    /// Sends the first half, after the server has asked for the body and so is handling the request.
    async fn send(server: &TestServer, username: &str) -> Self {
        let body = json!({
            "username": username, "email": format!("{username}@example.com"), "first_name": "Al",
            "password": PASSWORD, "password2": PASSWORD,
        });
        let body = body.to_string();
        let head = format!(
            "POST /api/register/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\n\r\n",
            body.len()
        );
        let (begin, rest) = body.as_bytes().split_at(body.len() / 2);
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("a head is sent");
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await.expect("an answer");
        assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(begin).await.expect("half a body is sent");
        Self { stream, rest: rest.to_vec() }
    }

    /// Sends the rest; returns everything until the server closes the connection.
    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.expect("the rest is sent");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }
}

async fn sigterm_answers_running_requests_and_refuses_new_ones(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    let request = UnfinishedRequest::send(&server, "late").await;
    server.terminate();
    wait_until_port_is_closed(&server).await;
    let answer = request.finish().await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains(r#""username":"late""#), "{answer}");
    assert_clean_exit(&mut server);
    block_in_place(|| server.restart());
    TestClient::new(&server.url()).login("late").await;
}

/// A refresh without an answer must not have happened: the token is still live.
async fn sigterm_under_load_loses_no_answers(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    let api = TestClient::new(&server.url());
    let (count, mut counted) = watch::channel(0);
    let mut clients = JoinSet::new();
    for n in 0..8 {
        let (api, count) = (api.clone(), count.clone());
        let mut newest = api.register_and_login(&format!("client{n}")).await;
        clients.spawn(async move {
            while let Ok(answer) = api.try_post("/api/token/refresh/", None, &json!({"refresh": newest.refresh})).await
            {
                newest = TokenPair::of(&answer);
                count.send_modify(|count| *count += 1);
            }
            newest
        });
    }
    counted.wait_for(|count| *count >= 200).await.expect("clients");
    server.terminate();
    let pairs = clients.join_all().await;
    assert_clean_exit(&mut server);
    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    for pair in pairs {
        let answer = api.refresh(&pair.refresh).await;
        assert_eq!(answer.status, 200, "the last refresh took effect without an answer: {}", answer.text);
    }
}

async fn open_connections_do_not_delay_the_shutdown(database: Database) {
    // Waiting for the connection would take ten minutes.
    let options = options(&database, "development").env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "600");
    let mut server = options.start(SERVER);
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a request is sent");
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"ok"}"#) {
        assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
    }
    let mut silent = TcpStream::connect(server.address()).await.expect("a connection");
    server.terminate();
    assert_clean_exit(&mut server);
    for stream in [&mut stream, &mut silent] {
        let rest = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(rest.unwrap_or(0), 0);
    }
}

/// The request is cancelled at the shutdown timeout; at its own timeout it would be answered with a 408.
async fn an_unfinished_request_is_cancelled_at_the_shutdown_timeout(database: Database) {
    let options = options(&database, "development").env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1");
    let mut server = options.env("AUTH__HTTP__BODY_TIMEOUT_SECONDS", "20").start(SERVER);
    let mut request = UnfinishedRequest::send(&server, "never").await;
    server.terminate();
    assert_clean_exit(&mut server);
    let mut answer = Vec::new();
    let _ = request.stream.read_to_end(&mut answer).await; // The connection may be reset.
    assert_eq!(String::from_utf8_lossy(&answer), "");
}

async fn sigint_stops_the_server(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    assert_eq!(TestClient::new(&server.url()).get("/readyz").await.status, 200);
    let interrupted = Command::new("kill").args(["-INT", &server.pid().to_string()]).status();
    assert!(interrupted.expect("kill runs").success());
    assert_clean_exit(&mut server);
}

/// A server that has printed its bind address must handle signals.
async fn a_signal_right_after_the_start_stops_the_server(database: Database) {
    let options = options(&database, "development");
    for _ in 0..20 {
        let mut server = options.clone().start(SERVER);
        server.terminate();
        assert_clean_exit(&mut server);
    }
}

async fn the_first_start_generates_a_key_for_later_starts() {
    let nothing_configured = without_configuration();
    let server = nothing_configured.start(SERVER);
    let listening = format!("Listening on  {}", server.url());
    assert!(server.stdout().contains(&listening), "{}", server.stdout());

    let data = server.dir().join("auth-data");
    let keys: Vec<_> = std::fs::read_dir(data.join("keys")).expect("a folder").collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let key = keys[0].as_ref().expect("an entry").path();
    assert_eq!((mode(&key), mode(&data.join("keys"))), (0o600, 0o700));
    for file in ["auth.sqlite3", "auth.sqlite3-wal", "auth.sqlite3-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    eventually("the location of the data is printed", async || server.stdout().contains("auth-data/auth.sqlite3"))
        .await;

    let api = TestClient::new(&server.url());
    let jwks = api.get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
    let used = api.register_and_login("owner").await;
    let pair = TokenPair::of(&api.refresh(&used.refresh).await);

    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    assert_eq!(api.get("/.well-known/jwks.json").await.json(), jwks);
    assert_eq!(api.me(&pair.access).await.status, 200);
    assert_blacklisted(&api.refresh(&used.refresh).await);
    assert_eq!(api.refresh(&pair.refresh).await.status, 200);

    // Without the key, the tokens are refused.
    block_in_place(|| server.kill());
    std::fs::remove_file(key).expect("the key is removed");
    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    assert_ne!(api.get("/.well-known/jwks.json").await.json(), Value::Null);
    assert_ne!(api.get("/.well-known/jwks.json").await.json(), jwks);
    assert_eq!(api.me(&pair.access).await.status, 401);
    api.login("owner").await;
}

async fn concurrent_first_starts_share_tables_and_key(database: Database) {
    let folder = TempDir::new().expect("a temporary folder");
    let options = options(&database, "development").without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().expect("UTF-8"));
    let starts = (0..4).map(|_| {
        let options = options.clone();
        spawn_blocking(move || options.start(SERVER))
    });
    let mut servers = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        servers.push(start.await.expect("the server starts"));
    }
    let apis: Vec<_> = servers.iter().map(|server| TestClient::new(&server.url())).collect();
    let jwks = apis[0].get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    let mut newest = apis[0].register_and_login("owner").await;
    for api in &apis {
        assert_eq!(api.get("/.well-known/jwks.json").await.json(), jwks);
        assert_eq!(api.me(&newest.access).await.status, 200);
        newest = TokenPair::of(&api.refresh(&newest.refresh).await);
    }
}

/// Options without a database URL and a signing key.
fn without_configuration() -> ServerOptions {
    ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").without("AUTH__LOG__FORMAT")
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}
