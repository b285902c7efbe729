//! Every connection ends, and their number is bounded: unfinished requests do not affect other clients
//! (docs/adr/0008-connections-end.md).
//!
//! Most of these cases never reach a query, so they run without a particular database.

use std::net::{IpAddr, Ipv4Addr};

use auth_tests::answers::Findings;
use auth_tests::cases::{OnBothDatabases, Once};
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::raw_connection::{RawConnection, exchange};
use auth_tests::{Database, ServerOptions, TestServer, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnBothDatabases =>
            closes_an_answered_connection_with_an_incomplete_body,
            stops_reading_an_endless_body_after_refusing_it;
        Once =>
        a_complete_refused_request_keeps_the_connection,
        closes_a_connection_with_an_unfinished_request,
        closes_a_connection_with_an_unfinished_second_head,
        closes_an_idle_connection_after_the_keep_alive_time,
        answers_new_clients_despite_thousands_of_unfinished_requests,
        limits_unfinished_requests_per_client_ip,
        closes_idle_connections_before_unfinished_requests,
        answers_many_concurrent_requests_of_one_client,
    ]
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// A client IP without unfinished requests.
const OTHER_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn server(settings: &[(&str, &str)]) -> TestServer {
    ServerOptions::new("development", None).envs(settings).start(SERVER)
}

/// Returns the head of a login request with this framing header.
fn login(framing: &str) -> String {
    format!("POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n")
}

async fn connection(server: &TestServer, bytes: impl AsRef<[u8]>) -> RawConnection {
    let mut wire = RawConnection::open(server.address()).await;
    wire.send(bytes).await;
    wire
}

/// Panics unless `/healthz` answers 200.
async fn assert_healthy(mut wire: RawConnection) {
    wire.send(HEALTH).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
}

/// Returns how many sockets the server has, including the listener and some of the runtime.
fn sockets(server: &TestServer) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("a folder of descriptors");
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

async fn closes_an_answered_connection_with_an_incomplete_body(database: Database) {
    let server = database.server("development").envs(&[("AUTH__HTTP__BODY_TIMEOUT_SECONDS", "1")]).start(SERVER);
    let (mut open, mut rows) = (JoinSet::new(), Vec::new());
    for framing in ["Transfer-Encoding: chunked", "Content-Length: 100"] {
        for sent in ["", if framing.starts_with('T') { "4\r\n[1, " } else { "[1, " }] {
            for (status, line, headers) in [
                (401, "POST /api/logout/", "Content-Type: application/json\r\n"),
                (404, "POST /nowhere", ""),
                (405, "DELETE /api/token/", ""),
                (405, "GET /api/token/", ""),
                (406, "POST /api/token/", "Accept: text/html\r\n"),
                (408, "POST /api/token/", "Content-Type: application/json\r\n"),
                (200, "GET /healthz", ""),
            ] {
                let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}{framing}\r\n\r\n{sent}");
                rows.push((status, head.clone()));
                let (row, wire) = (rows.len() - 1, connection(&server, head).await);
                open.spawn(async move { (row, wire.answers_to_end().await) });
            }
        }
    }
    let mut findings = Findings::default();
    while let Some(ended) = open.join_next().await {
        let (row, answers) = ended.expect("the connection closes");
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        let (status, request) = &rows[row];
        findings.check_that(statuses == [*status], || format!("{request:?}: {statuses:?}"));
        let says_close = answers.first().is_some_and(|answer| answer.header("connection") == "close");
        findings.check_that(says_close, || format!("{request:?}: no Connection: close"));
    }
    findings.assert_none();
}

async fn stops_reading_an_endless_body_after_refusing_it(database: Database) {
    /// More than the operating system buffers at both ends of a connection.
    const LIMIT: usize = 64 << 20;
    let server = database.server("development").start(SERVER);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for (status, head) in [
        (413, login("Transfer-Encoding: chunked")),
        (413, login("Content-Length: 18446744073709551615")),
        (405, login("Transfer-Encoding: chunked").replace("POST", "DELETE")),
    ] {
        let mut wire = connection(&server, &head).await;
        if status == 413 {
            wire.send(&chunk).await;
            wire.send(&chunk).await;
        }
        let answer = wire.answer().await.expect("an answer before the body ends");
        assert_eq!(answer.status, status, "{head}");
        let sent_bytes = wire.send_until_closed(chunk.as_bytes(), LIMIT).await;
        assert!(sent_bytes < LIMIT, "{head}: {sent_bytes} bytes and more");
    }
}

async fn a_complete_refused_request_keeps_the_connection() {
    let server = server(&[]);
    let mut wire = RawConnection::open(server.address()).await;
    for framed in ["Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
        for (status, line) in [(405, "DELETE /api/token/"), (401, "POST /api/logout/"), (404, "POST /nowhere")] {
            wire.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{framed}")).await;
            let answer = wire.answer().await.unwrap_or_else(|| panic!("no answer to {line} with {framed:?}"));
            assert_eq!(answer.status, status, "{line}");
        }
    }
    assert_healthy(wire).await;
}

async fn closes_a_connection_with_an_unfinished_request() {
    let server = server(&[
        ("AUTH__SERVER__HEADER_TIMEOUT_SECONDS", "1"),
        ("AUTH__SERVER__IDLE_TIMEOUT_SECONDS", "1"),
        // Bytes that arrived together with an earlier request do not count as the beginning of a head.
        ("AUTH__SERVER__KEEP_ALIVE_SECONDS", "2"),
        ("AUTH__HTTP__BODY_TIMEOUT_SECONDS", "3600"),
    ]);
    let half = "GET /healthz HTTP/1.1\r\nHost";
    let mut open = JoinSet::new();
    for (statuses, sent) in [
        (vec![408], half.to_owned()),
        (vec![200], format!("{HEALTH}{half}")),
        (vec![400], login("Transfer-Encoding: chunked")),
        (vec![400], login("Content-Length: 100") + "[1, "),
    ] {
        let wire = connection(&server, &sent).await;
        open.spawn(async move { (statuses, wire.answers_to_end().await, sent) });
    }
    for (expected, answers, sent) in open.join_all().await {
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, expected, "{sent:?}");
    }
}

async fn closes_a_connection_with_an_unfinished_second_head() {
    let server = server(&[("AUTH__SERVER__HEADER_TIMEOUT_SECONDS", "1")]);
    let mut wire = connection(&server, HEALTH).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
    wire.send("GET /healthz HTTP/1.1\r\nHost").await;
    assert!(wire.answers_to_end().await.is_empty());
}

async fn closes_an_idle_connection_after_the_keep_alive_time() {
    let server = server(&[("AUTH__SERVER__KEEP_ALIVE_SECONDS", "1")]);
    let wire = connection(&server, HEALTH).await;
    assert_eq!(wire.answers_to_end().await.len(), 1);
}

async fn answers_new_clients_despite_thousands_of_unfinished_requests() {
    let limits = [("AUTH__SERVER__MAX_CONNECTIONS", "60"), ("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "1000")];
    let server = server(&limits);
    let address = server.address();
    let before = sockets(&server);
    let mut attack = JoinSet::new();
    for attacker in 0..8 {
        attack.spawn(async move {
            let mut held = Vec::new();
            for n in 0..250 {
                let mut wire = RawConnection::open(address).await;
                let head = login("Transfer-Encoding: chunked");
                wire.send(if (n + attacker) % 2 == 0 { head.replace("POST", "DELETE") } else { head }).await;
                held.push(wire);
            }
            held
        });
    }
    let mut held = Vec::new();
    while let Some(connections) = attack.join_next().await {
        assert_healthy(RawConnection::open_from(OTHER_CLIENT, address).await).await;
        assert_healthy(RawConnection::open(address).await).await;
        held.extend(connections.expect("a task"));
    }
    assert_eq!(held.len(), 2_000);
    assert_healthy(RawConnection::open_from(OTHER_CLIENT, address).await).await;
    let limit = before + 60 + std::thread::available_parallelism().map_or(1, usize::from);
    eventually("the limit holds", async || sockets(&server) <= limit).await;
}

async fn limits_unfinished_requests_per_client_ip() {
    let server = server(&[("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "5")]);
    let mut other = RawConnection::open_from(OTHER_CLIENT, server.address()).await;
    let body = "{}";
    other.send(login(&format!("Content-Length: {}", body.len()))).await;
    let mut first = Vec::new();
    for n in 0..10 {
        let mut wire = RawConnection::open(server.address()).await;
        if n % 2 == 0 {
            // The head follows an answer: the connection was idle and counts again.
            wire.send(HEALTH).await;
            assert_eq!(wire.answer().await.expect("an answer").status, 200);
        }
        wire.send(login("Transfer-Encoding: chunked\r\nExpect: 100-continue")).await;
        wire.wait_for_continue().await;
        first.push(wire);
    }
    // Five are answered because of their incomplete body; the others can still finish theirs.
    let (release, released) = watch::channel(false);
    let mut open = JoinSet::new();
    for mut wire in first {
        let mut released = released.clone();
        open.spawn(async move {
            tokio::select! {
                answer = wire.answer() => answer.map(|answer| answer.text),
                () = async { drop(released.wait_for(|release| *release).await) } => {
                    wire.send("2\r\n{}\r\n0\r\n\r\n").await;
                    wire.answer().await.map(|answer| answer.text)
                }
            }
        });
    }
    let mut bodies = Vec::new();
    for _ in 0..5 {
        bodies.push(open.join_next().await.expect("a connection").expect("an answer"));
    }
    assert!(!bodies.iter().flatten().any(|text| text.contains("is required")), "{bodies:?}");
    release.send_replace(true);
    let bodies = open.join_all().await;
    assert!(bodies.iter().flatten().filter(|text| text.contains("is required")).count() == 5, "{bodies:?}");
    other.send(body).await;
    assert_eq!(other.answer().await.expect("an answer").status, 400);
    assert_healthy(other).await;
}

/// The limit applies to slow clients, not to those with many requests.
async fn answers_many_concurrent_requests_of_one_client() {
    let server = server(&[("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "1"), ("AUTH__SERVER__WORKERS", "1")]);
    let api = server.client();
    let calls = (0..300).map(|_| {
        let api = api.clone();
        async move { api.post("/api/token/", None, json!({})).await.status.as_u16() }
    });
    assert_eq!(run_concurrently(calls).await, vec![400; 300]);
}

async fn closes_idle_connections_before_unfinished_requests() {
    let server = server(&[("AUTH__SERVER__MAX_CONNECTIONS", "32")]);
    let unfinished = connection(&server, login("Content-Length: 2")).await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        let mut wire = connection(&server, HEALTH).await;
        assert_eq!(wire.answer().await.expect("an answer").status, 200);
        idle.push(wire);
    }
    let mut unfinished = unfinished;
    unfinished.send("{}").await;
    let answer = unfinished.answer().await.expect("an answer on the unfinished connection");
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("This field is required."), "{}", answer.text);
    // The connections that were idle for longest have been closed, the latest ones are open.
    assert!(idle.remove(0).answers_to_end().await.is_empty());
    assert_healthy(idle.pop().expect("a connection")).await;
    let answer = exchange(server.address(), HEALTH).await.expect("an answer");
    assert_eq!(answer.status, 200);
}
