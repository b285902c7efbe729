//! Start and stop: what is made at the first start, and that a stop signal cuts nobody off (REL-015, REL-019).

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
            a_request_in_flight_at_sigterm_is_answered_and_new_ones_are_refused,
            a_connection_kept_open_does_not_delay_the_end,
            a_request_that_never_comes_whole_does_not_delay_the_end_for_long,
            ctrl_c_ends_it_as_well;
        Once =>
            the_first_start_makes_a_key_that_later_starts_use;
        OnBothDatabases =>
            a_signal_right_after_the_start_ends_it_as_well,
            busy_clients_are_not_cut_off_at_sigterm;
        OnBothEmptyDatabases =>
            first_starts_at_once_agree_on_tables_and_key]
}

/// Until the port is closed.
async fn refuses_connections(server: &TestServer) {
    let address = server.address();
    eventually("connections are refused", async || {
        TcpStream::connect(address).await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    })
    .await;
}

fn ends_well(server: &mut TestServer) {
    let status = block_in_place(|| server.wait());
    assert_eq!(status.code(), Some(0), "{status:?}\n{}", server.log());
}

/// A registration, in two halves: all but the last bytes of the body, and those.
struct HalfARequest {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfARequest {
    /// Sends the first half; the server has begun to work on it when it asks for the body.
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
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).await.expect("an answer");
        assert_eq!(String::from_utf8_lossy(&go_on), "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(begin).await.expect("half a body is sent");
        Self { stream, rest: rest.to_vec() }
    }

    /// Sends the rest; gives what comes until the server closes the connection.
    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.expect("the rest is sent");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }
}

async fn a_request_in_flight_at_sigterm_is_answered_and_new_ones_are_refused(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    let request = HalfARequest::send(&server, "late").await;
    server.terminate();
    refuses_connections(&server).await;
    let answer = request.finish().await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains(r#""username":"late""#), "{answer}");
    ends_well(&mut server);
    block_in_place(|| server.restart());
    TestClient::new(&server.url()).login("late").await;
}

/// Whoever got no answer was not served either: its token is still live.
async fn busy_clients_are_not_cut_off_at_sigterm(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    let api = TestClient::new(&server.url());
    let (count, mut counted) = watch::channel(0);
    let mut clients = JoinSet::new();
    for n in 0..8 {
        let (api, count) = (api.clone(), count.clone());
        let mut newest = api.newcomer(&format!("client{n}")).await;
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
    ends_well(&mut server);
    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    for pair in pairs {
        let answer = api.refresh(&pair.refresh).await;
        assert_eq!(answer.status, 200, "its last refresh was done and not answered: {}", answer.text);
    }
}

async fn a_connection_kept_open_does_not_delay_the_end(database: Database) {
    // An end that waits for it would come after ten minutes.
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
    ends_well(&mut server);
    for stream in [&mut stream, &mut silent] {
        let rest = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(rest.unwrap_or(0), 0);
    }
}

/// It is cut off, and not waited for until its own time is up: then it would be answered 408.
async fn a_request_that_never_comes_whole_does_not_delay_the_end_for_long(database: Database) {
    let options = options(&database, "development").env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1");
    let mut server = options.env("AUTH__HTTP__BODY_TIMEOUT_SECONDS", "20").start(SERVER);
    let mut request = HalfARequest::send(&server, "never").await;
    server.terminate();
    ends_well(&mut server);
    let mut answer = Vec::new();
    let _ = request.stream.read_to_end(&mut answer).await; // It may be reset.
    assert_eq!(String::from_utf8_lossy(&answer), "");
}

async fn ctrl_c_ends_it_as_well(database: Database) {
    let mut server = options(&database, "development").start(SERVER);
    assert_eq!(TestClient::new(&server.url()).get("/readyz").await.status, 200);
    let interrupted = Command::new("kill").args(["-INT", &server.pid().to_string()]).status();
    assert!(interrupted.expect("kill runs").success());
    ends_well(&mut server);
}

/// What says that it listens can also be told to stop.
async fn a_signal_right_after_the_start_ends_it_as_well(database: Database) {
    let options = options(&database, "development");
    for _ in 0..20 {
        let mut server = options.clone().start(SERVER);
        server.terminate();
        ends_well(&mut server);
    }
}

async fn the_first_start_makes_a_key_that_later_starts_use() {
    let nothing_configured = without_configuration();
    let server = nothing_configured.start(SERVER);
    let listening = format!("Listening on  {}", server.url());
    assert!(server.printed().contains(&listening), "{}", server.printed());

    let data = server.dir().join("auth-data");
    let keys: Vec<_> = std::fs::read_dir(data.join("keys")).expect("a folder").collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let key = keys[0].as_ref().expect("an entry").path();
    assert_eq!((mode(&key), mode(&data.join("keys"))), (0o600, 0o700));
    for file in ["auth.sqlite3", "auth.sqlite3-wal", "auth.sqlite3-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    eventually("it says where the data is", async || server.printed().contains("auth-data/auth.sqlite3")).await;

    let api = TestClient::new(&server.url());
    let jwks = api.get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
    let spent = api.newcomer("owner").await;
    let pair = TokenPair::of(&api.refresh(&spent.refresh).await);

    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    assert_eq!(api.get("/.well-known/jwks.json").await.json(), jwks);
    assert_eq!(api.me(&pair.access).await.status, 200);
    assert_blacklisted(&api.refresh(&spent.refresh).await);
    assert_eq!(api.refresh(&pair.refresh).await.status, 200);

    // The key is what they rest on.
    block_in_place(|| server.kill());
    std::fs::remove_file(key).expect("the key is removed");
    block_in_place(|| server.restart());
    let api = TestClient::new(&server.url());
    assert_ne!(api.get("/.well-known/jwks.json").await.json(), Value::Null);
    assert_ne!(api.get("/.well-known/jwks.json").await.json(), jwks);
    assert_eq!(api.me(&pair.access).await.status, 401);
    api.login("owner").await;
}

async fn first_starts_at_once_agree_on_tables_and_key(database: Database) {
    let folder = TempDir::new().expect("a temporary folder");
    let options = options(&database, "development").without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().expect("UTF-8"));
    let starts = (0..4).map(|_| {
        let options = options.clone();
        spawn_blocking(move || options.start(SERVER))
    });
    let mut servers = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        servers.push(start.await.expect("it starts"));
    }
    let apis: Vec<_> = servers.iter().map(|server| TestClient::new(&server.url())).collect();
    let jwks = apis[0].get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    let mut newest = apis[0].newcomer("owner").await;
    for api in &apis {
        assert_eq!(api.get("/.well-known/jwks.json").await.json(), jwks);
        assert_eq!(api.me(&newest.access).await.status, 200);
        newest = TokenPair::of(&api.refresh(&newest.refresh).await);
    }
}

/// Neither a database nor a key.
fn without_configuration() -> ServerOptions {
    ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY").without("AUTH__LOG__FORMAT")
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}
