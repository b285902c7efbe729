//! Requests with ambiguous ends (SEC-099, CWE-444): the server refuses them and closes the connection, so that nothing after
//! them is parsed as a request.

use auth_tests::answers::{Findings, assert_status};
use auth_tests::raw_connection::{RawConnection, exchange};
use auth_tests::{PASSWORD, cases};
use libtest_mimic::Trial;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.development =>
            refuses_requests_with_ambiguous_lengths,
            refuses_requests_with_a_malformed_head,
            refuses_malformed_chunks,
            refuses_five_thousand_headers,
            answers_pipelined_requests_in_order,
            silent_connections_do_not_block_others,
    ]
}

/// A smuggled request: an answer to it means that the server was deceived.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sends each request followed by a smuggled one. The server must answer it once with a 4xx and close the connection.
async fn assert_refused(service: &Service, requests: &[(&str, Vec<u8>)]) {
    let access = service.register_and_login(&fresh("smuggler")).await.access;
    let mut findings = Findings::default();
    for (what, request) in requests {
        let mut wire = RawConnection::open(service.server().address()).await;
        wire.send([request.as_slice(), HIDDEN.as_bytes()].concat()).await;
        let answers = wire.answers_to_end().await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        findings.check_that(matches!(statuses.as_slice(), [400..=499]), || format!("{what}: {statuses:?}"));
    }
    findings.check("afterwards", &service.me(&access).await, &[200]);
    findings.assert_none();
}

/// A login request with these framing headers.
fn framed(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}")
        .into_bytes()
}

async fn refuses_requests_with_ambiguous_lengths(service: &Service) {
    let chunked = "0\r\n\r\n";
    let mut requests = Vec::new();
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Content-Length: 5\r\nContent-Length: 0",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: -0",
        "Content-Length: 0x5",
        "Content-Length: 5a",
        "Content-Length: 5 5",
        "Content-Length: 5.0",
        "Content-Length: 5e0",
        "Content-Length: 5;",
        "Content-Length: \"5\"",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;x=y",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked x",
        "Transfer-Encoding: \u{B}chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\n , identity",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chunked\0",
        "\0Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\r\rContent-Length: 5",
    ] {
        requests.push((headers, framed(headers, chunked)));
    }
    let old = String::from_utf8(framed("Transfer-Encoding: chunked", chunked)).unwrap().replace("/1.1", "/1.0");
    requests.push(("chunks in HTTP/1.0", old.into_bytes()));
    assert_refused(service, &requests).await;
}

async fn refuses_requests_with_a_malformed_head(service: &Service) {
    let rows: &[&[u8]] = &[
        b"GET /healthz HTTP/1.1\rHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: local\rhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost\t: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\r\n z\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\0: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \x01\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX(): y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\xE9: y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.10\r\nHost: localhost\r\n\r\n",
        b"GET /healthz http/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1 x\r\nHost: localhost\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b" GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"G(ET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting \r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"HELO localhost\r\n\r\n",
        b"{\"username\": \"alice\"}\r\n\r\n",
    ];
    let named: Vec<_> = rows.iter().map(|row| (String::from_utf8_lossy(row).into_owned(), row.to_vec())).collect();
    let named: Vec<_> = named.iter().map(|(name, row)| (name.as_str(), row.clone())).collect();
    assert_refused(service, &named).await;
}

async fn refuses_malformed_chunks(service: &Service) {
    let mut requests = Vec::new();
    for chunks in [
        "x\r\n\r\n",
        "-1\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r{}\r0\r\r",
        "2\r\n{}}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\n{}\r\n0\r\n\r\n",
        "10000000000000000\r\n{}\r\n0\r\n\r\n",
        "\r\n\r\n",
    ] {
        requests.push((chunks, framed("Transfer-Encoding: chunked", chunks)));
    }
    assert_refused(service, &requests).await;
}

async fn refuses_five_thousand_headers(service: &Service) {
    let many = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let request = |headers: String| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes();
    let same = "X: y\r\n".repeat(5_000);
    assert_refused(service, &[("5,000 names", request(many(5_000))), ("one name 5,000 times", request(same))]).await;
    // A browser behind two proxies sends about sixty headers.
    let answer = exchange(service.server().address(), request(many(60))).await.expect("an answer");
    assert_status(&answer, 200);
}

async fn answers_pipelined_requests_in_order(service: &Service) {
    let name = fresh("smuggler");
    assert_status(&service.register(&name).await, 201);
    let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
    let login = framed(&format!("Content-Length: {}", body.len()), &body);
    let chunked = framed("Transfer-Encoding: chunked", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    let empty = framed("Content-Length: 2", "{}");
    let missing = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let last = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec();
    let mut wire = RawConnection::open(service.server().address()).await;
    wire.send([login, missing, chunked, HIDDEN.as_bytes().to_vec(), empty, last].concat()).await;
    let statuses: Vec<_> = wire.answers_to_end().await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 404, 200, 200, 400, 200]);
}

async fn silent_connections_do_not_block_others(service: &Service) {
    let mut silent = Vec::new();
    for beginning in
        ["", "G", "GET /healthz HTTP/1.1\r\n", "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9"]
    {
        for _ in 0..25 {
            let mut wire = RawConnection::open(service.server().address()).await;
            wire.send(beginning).await;
            silent.push(wire);
        }
    }
    let half = framed("Content-Length: 1000", "{\"username\":");
    for _ in 0..25 {
        let mut wire = RawConnection::open(service.server().address()).await;
        wire.send(&half).await;
        silent.push(wire);
    }
    let answer = exchange(service.server().address(), "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_status(&answer.expect("an answer despite 125 silent connections"), 200);
    drop(silent);
    service.register_and_login(&fresh("smuggler")).await;
}
