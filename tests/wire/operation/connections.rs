//! Every connection ends, and there are never too many: what a client does not finish costs others nothing (adr/0008).
//!
//! The database makes no difference to most of these cases: they do not get as far as a query.

use std::net::{IpAddr, Ipv4Addr};

use auth_tests::answers::Findings;
use auth_tests::cases::{OnBothDatabases, Once};
use auth_tests::concurrency::{at_once, eventually};
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
            an_answered_connection_closes_whatever_of_the_body_is_missing,
            an_endless_body_is_not_read_after_its_refusal;
        Once =>
        a_whole_refused_request_costs_no_connection,
        a_connection_ends_when_its_client_stops_in_the_middle,
        half_a_second_head_ends_a_connection_as_half_a_first_one_does,
        an_idle_connection_ends_after_the_keep_alive_time,
        a_new_client_is_answered_while_thousands_of_requests_are_unfinished,
        one_client_has_a_limit_and_others_do_not_notice,
        idle_connections_give_way_before_unfinished_requests,
        a_crowd_of_one_client_is_answered,
    ]
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// A client IP that attacks nobody.
const OTHER_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn server(settings: &[(&str, &str)]) -> TestServer {
    ServerOptions::new("development", None).envs(settings).start(SERVER)
}

/// The head of a login whose body is framed by this header.
fn login(framing: &str) -> String {
    format!("POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n")
}

async fn connection(server: &TestServer, bytes: impl AsRef<[u8]>) -> RawConnection {
    let mut wire = RawConnection::open(server.address()).await;
    wire.send(bytes).await;
    wire
}

/// Panics unless `/healthz` is answered.
async fn assert_healthy(mut wire: RawConnection) {
    wire.send(HEALTH).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
}

/// How many sockets of the server are connections. (One more listens, and the runtime has some of its own.)
fn sockets(server: &TestServer) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("a folder of descriptors");
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

async fn an_answered_connection_closes_whatever_of_the_body_is_missing(database: Database) {
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
        findings.note(statuses == [*status], || format!("{request:?}: {statuses:?}"));
        let told = answers.first().is_some_and(|answer| answer.header("connection") == "close");
        findings.note(told, || format!("{request:?}: the client is not told that the connection closes"));
    }
    findings.close();
}

async fn an_endless_body_is_not_read_after_its_refusal(database: Database) {
    /// More than the operating system keeps for both ends of a connection.
    const MOST: usize = 64 << 20;
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
        let answer = wire.answer().await.expect("an answer before the end of the body");
        assert_eq!(answer.status, status, "{head}");
        let taken = wire.send_until_closed(chunk.as_bytes(), MOST).await;
        assert!(taken < MOST, "{head}: {taken} bytes and more");
    }
}

async fn a_whole_refused_request_costs_no_connection() {
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

async fn a_connection_ends_when_its_client_stops_in_the_middle() {
    let server = server(&[
        ("AUTH__SERVER__HEADER_TIMEOUT_SECONDS", "1"),
        ("AUTH__SERVER__IDLE_TIMEOUT_SECONDS", "1"),
        // What came together with a request before is not known to be the beginning of a head.
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

async fn half_a_second_head_ends_a_connection_as_half_a_first_one_does() {
    let server = server(&[("AUTH__SERVER__HEADER_TIMEOUT_SECONDS", "1")]);
    let mut wire = connection(&server, HEALTH).await;
    assert_eq!(wire.answer().await.expect("an answer").status, 200);
    wire.send("GET /healthz HTTP/1.1\r\nHost").await;
    assert!(wire.answers_to_end().await.is_empty());
}

async fn an_idle_connection_ends_after_the_keep_alive_time() {
    let server = server(&[("AUTH__SERVER__KEEP_ALIVE_SECONDS", "1")]);
    let wire = connection(&server, HEALTH).await;
    assert_eq!(wire.answers_to_end().await.len(), 1);
}

async fn a_new_client_is_answered_while_thousands_of_requests_are_unfinished() {
    let bounds = [("AUTH__SERVER__MAX_CONNECTIONS", "60"), ("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "1000")];
    let server = server(&bounds);
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
        held.extend(connections.expect("an attack"));
    }
    assert_eq!(held.len(), 2_000);
    assert_healthy(RawConnection::open_from(OTHER_CLIENT, address).await).await;
    let most = before + 60 + std::thread::available_parallelism().map_or(1, usize::from);
    eventually("the bound holds", async || sockets(&server) <= most).await;
}

async fn one_client_has_a_limit_and_others_do_not_notice() {
    let server = server(&[("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "5")]);
    let mut other = RawConnection::open_from(OTHER_CLIENT, server.address()).await;
    let body = "{}";
    other.send(login(&format!("Content-Length: {}", body.len()))).await;
    let mut first = Vec::new();
    for n in 0..10 {
        let mut wire = RawConnection::open(server.address()).await;
        if n % 2 == 0 {
            // The head comes after an answer: such a connection was idle, and counts again.
            wire.send(HEALTH).await;
            assert_eq!(wire.answer().await.expect("an answer").status, 200);
        }
        wire.send(login("Transfer-Encoding: chunked\r\nExpect: 100-continue")).await;
        wire.wait_for_continue().await;
        first.push(wire);
    }
    // Five are told that their body is not whole. The others are read when it comes.
    let (go_on, wait) = watch::channel(false);
    let mut open = JoinSet::new();
    for mut wire in first {
        let mut wait = wait.clone();
        open.spawn(async move {
            tokio::select! {
                answer = wire.answer() => answer.map(|answer| answer.text),
                () = async { drop(wait.wait_for(|go_on| *go_on).await) } => {
                    wire.send("2\r\n{}\r\n0\r\n\r\n").await;
                    wire.answer().await.map(|answer| answer.text)
                }
            }
        });
    }
    let mut texts = Vec::new();
    for _ in 0..5 {
        texts.push(open.join_next().await.expect("a connection").expect("an answer"));
    }
    assert!(!texts.iter().flatten().any(|text| text.contains("is required")), "{texts:?}");
    go_on.send_replace(true);
    let texts = open.join_all().await;
    assert!(texts.iter().flatten().filter(|text| text.contains("is required")).count() == 5, "{texts:?}");
    other.send(body).await;
    assert_eq!(other.answer().await.expect("an answer").status, 400);
    assert_healthy(other).await;
}

/// Only a client that is slow meets its limit, not one with many requests.
async fn a_crowd_of_one_client_is_answered() {
    let server = server(&[("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "1"), ("AUTH__SERVER__WORKERS", "1")]);
    let api = server.client();
    let calls = (0..300).map(|_| {
        let api = api.clone();
        async move { api.post("/api/token/", None, json!({})).await.status.as_u16() }
    });
    assert_eq!(at_once(calls).await, vec![400; 300]);
}

async fn idle_connections_give_way_before_unfinished_requests() {
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
    let answer = unfinished.answer().await.expect("an answer: it did not give way");
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("This field is required."), "{}", answer.text);
    // The first ones to be idle have closed, the last ones are open.
    assert!(idle.remove(0).answers_to_end().await.is_empty());
    assert_healthy(idle.pop().expect("a connection")).await;
    let answer = exchange(server.address(), HEALTH).await.expect("an answer");
    assert_eq!(answer.status, 200);
}
