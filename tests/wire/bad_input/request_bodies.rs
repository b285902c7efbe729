//! Bodies that are too long, of other content types, or not valid for their content type (SEC-073, SEC-074).

use std::collections::HashMap;

use auth_tests::answers::{Findings, assert_answer, assert_status};
use auth_tests::cases::Once;
use auth_tests::concurrency::open_connections;
use auth_tests::raw_connection::{RawConnection, exchange};
use auth_tests::{Answer, PASSWORD, cases};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::{JoinError, JoinSet};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::json_documents::ROUTES;
use crate::bad_input::shared_servers::{fresh, own_server};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.development =>
            accepts_a_body_of_exactly_the_limit,
            refuses_a_declared_length_over_the_limit_before_the_body,
            refuses_a_chunked_body_that_grows_over_the_limit,
            closes_refused_connections_with_unfinished_bodies,
            a_refused_body_is_not_parsed_as_requests,
            a_client_that_sends_an_overlong_body_gets_a_413,
            authenticates_before_checking_the_body_length,
            ignores_the_body_where_none_is_expected;
        Once => bodies_in_flight_share_a_budget;
        servers.simplejwt =>
            accepts_a_body_of_exactly_the_limit,
            refuses_a_declared_length_over_the_limit_before_the_body,
            refuses_a_chunked_body_that_grows_over_the_limit,
            a_client_that_sends_an_overlong_body_gets_a_413,
            refuses_other_content_types,
            refuses_compressed_bodies,
            accepts_the_content_types_of_the_wire_contract,
            refuses_invalid_multipart_bodies,
            parses_invalid_forms_leniently,
            an_empty_body_is_an_empty_object,
    ]
}

/// The body limit of the service's own routes in every profile.
const LIMIT: usize = 65_536;

async fn accepts_a_body_of_exactly_the_limit(service: &Service) {
    let around = r#"{"username":"","password":"x"}"#;
    let body = format!(r#"{{"username":"{}","password":"x"}}"#, "u".repeat(LIMIT - around.len()));
    let send = async |body: String| {
        let request =
            service.http.post(format!("{}/api/token/", service.url)).header("content-type", "application/json");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    assert_status(&send(body.clone()).await, 401);
    assert_status(&send(format!("{body} ")).await, 413);
}

async fn refuses_a_declared_length_over_the_limit_before_the_body(service: &Service) {
    // Not the shared server: unfinished requests per client IP are limited to a hundred, and other cases have some.
    let (server, api) = own_server(service.profile(), &[]);
    let access = api.register_and_login(&fresh("body")).await.access;
    let (mut open, mut rows) = (JoinSet::new(), HashMap::new());
    for (method, path, guarded) in &ROUTES {
        for length in [LIMIT as u64 + 1, 20_000_000, u64::from(u32::MAX) + 1, u64::MAX] {
            let bearer = if *guarded { format!("Authorization: Bearer {access}\r\n") } else { String::new() };
            let mut wire = RawConnection::open(server.address()).await;
            wire.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}Content-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n"
            ))
            .await;
            rows.insert(open.spawn(wire.answers_to_end()).id(), format!("{method} {path}, {length} bytes"));
        }
    }
    let mut findings = Findings::default();
    while let Some(ended) = open.join_next_with_id().await {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let row = &rows[&id];
        match ended {
            // The server cannot know where the next request starts, so it must answer once and close.
            Ok((_, answers)) => match answers.as_slice() {
                [answer] => findings.check(row, answer, &[413]),
                other => findings.check_that(false, || format!("{row}: {} answers", other.len())),
            },
            Err(error) => findings.check_that(false, || format!("{row}: {error:?}")),
        }
    }
    findings.assert_none();
}

/// Sends an unfinished chunked body that exceeds the limit.
async fn send_overlong_chunks(service: &Service) -> RawConnection {
    let mut wire = RawConnection::open(service.server().address()).await;
    wire.send(
        "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    for _ in 0..=LIMIT / 0x4000 {
        wire.send(&chunk).await;
    }
    wire
}

async fn refuses_a_chunked_body_that_grows_over_the_limit(service: &Service) {
    let answer = send_overlong_chunks(service).await.answer().await.expect("an answer before the body ends");
    assert_answer(&answer, 413, &json!({"detail": "Request body is too large."}));
}

/// Slow bodies share a budget (SEC-073): requests beyond it get a 503, and short bodies still fit.
async fn bodies_in_flight_share_a_budget() {
    let budget = 2 * LIMIT;
    let (server, api) = own_server(
        "simplejwt",
        &[("AUTH__HTTP__BODY_LIMIT_BYTES", "65536"), ("AUTH__HTTP__BODY_BUDGET_BYTES", &budget.to_string())],
    );
    let login = |length: usize| {
        format!(
            "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let long =
        async || exchange(server.address(), login(20_000) + "{}" + &" ".repeat(19_998)).await.expect("an answer");
    let mut attempts = 0;
    let (slow, refused) = loop {
        let mut slow = Vec::new();
        for _ in 0..2 {
            let mut wire = RawConnection::open(server.address()).await;
            wire.send(login(60_000) + "{}" + &" ".repeat(59_997)).await;
            slow.push(wire);
        }
        open_connections(&api, 20).await;
        // Refused once both slow bodies have arrived; a slow body that arrives later is refused instead.
        let answer = long().await;
        if answer.status == 503 {
            break (slow, answer);
        }
        attempts += 1;
        assert!(attempts < 20, "{}", answer.text);
    };
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "2");
    assert_status(&api.post("/api/token/", None, json!({"username": "unknown", "password": "x"})).await, 401);
    for mut wire in slow {
        wire.send(" ").await;
        assert_status(&wire.answer().await.expect("an answer"), 400);
    }
    assert_status(&long().await, 400);
}

async fn closes_refused_connections_with_unfinished_bodies(service: &Service) {
    let unfinished = async |line: &str, headers: &str| {
        let mut wire = RawConnection::open(service.server().address()).await;
        // `operation::connections` covers chunked bodies.
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 100\r\n\r\n");
        wire.send(format!("{head}[1, ")).await;
        wire
    };
    let (mut open, mut rows) = (JoinSet::new(), HashMap::new());
    for (status, wire) in [
        (401, unfinished("POST /api/logout/", "Content-Type: application/json\r\n").await),
        (404, unfinished("POST /nowhere", "").await),
        (405, unfinished("DELETE /api/token/", "").await),
        (406, unfinished("POST /api/token/", "Accept: text/html\r\n").await),
        (431, unfinished("POST /api/token/", &format!("X: {}\r\n", "x".repeat(9_000))).await),
    ] {
        rows.insert(open.spawn(wire.answers_to_end()).id(), status);
    }
    let mut findings = Findings::default();
    while let Some(ended) = open.join_next_with_id().await {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        match ended {
            Ok((_, answers)) => {
                let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
                findings.check_that(statuses == [rows[&id]], || format!("{}: {statuses:?}", rows[&id]));
            }
            Err(error) => findings.check_that(false, || format!("after the {}: {error:?}", rows[&id])),
        }
    }
    findings.assert_none();
}

async fn a_refused_body_is_not_parsed_as_requests(service: &Service) {
    let hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let body = hidden.repeat(2 * LIMIT / hidden.len());
    let mut findings = Findings::default();
    for (what, content_type, expected) in [
        ("too long", "application/json", 413),
        ("too long, of another type", "text/plain", 413),
        ("too long, for a method without a body", "", 405),
    ] {
        let method = if content_type.is_empty() { "GET" } else { "POST" };
        let mut wire = RawConnection::open(service.server().address()).await;
        let length = body.len();
        let head = format!(
            "{method} /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        wire.send(head).await;
        wire.send(&body).await;
        wire.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let answers = wire.answers_to_end().await;
        findings.check_that(!answers.is_empty(), || format!("{what}: no answer"));
        if let Some(first) = answers.first() {
            findings.check(what, first, &[expected]);
        }
        // The request after the body may be answered, if the server has read the body to its end.
        findings.check_that(answers.len() <= 2, || format!("{what}: {} answers", answers.len()));
    }
    findings.assert_none();
}

async fn a_client_that_sends_an_overlong_body_gets_a_413(service: &Service) {
    let mut findings = Findings::default();
    for length in [LIMIT + 1, 20_000_000] {
        let request =
            service.http.post(format!("{}/api/token/", service.url)).header("content-type", "application/json");
        match request.body(vec![b' '; length]).send().await {
            Ok(response) => findings.check(length, &Answer::of(response).await, &[413]),
            Err(error) => findings.check_that(false, || format!("{length}: {error:?}")),
        }
    }
    findings.assert_none();
}

async fn authenticates_before_checking_the_body_length(service: &Service) {
    let mut findings = Findings::default();
    for (method, path, _) in ROUTES.iter().filter(|(_, _, guarded)| *guarded) {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n");
        let answer = exchange(service.server().address(), request).await.expect("an answer");
        findings.check(format!("{method} {path}"), &answer, &[401]);
    }
    findings.assert_none();
}

/// The challenge endpoint reads no body: a body is ignored, and is never parsed as a request.
async fn ignores_the_body_where_none_is_expected(service: &Service) {
    const PATH: &str = "/api/users/me/second-factors/challenge/";
    let access = service.register_and_login(&fresh("body")).await.access;
    let plain = service.post(PATH, Some(&access), json!({})).await;
    assert_status(&plain, 400);
    let mut findings = Findings::default();
    for (what, content_type, body) in [
        ("not JSON", "application/json", b"{".to_vec()),
        ("deep JSON", "application/json", b"[".repeat(50_000)),
        ("not UTF-8", "application/json", b"\xFF\xFE\0".to_vec()),
        ("another type", "text/plain", b"x".to_vec()),
        ("garbage called multipart", "multipart/form-data; boundary=B", b"garbage".to_vec()),
    ] {
        let request = service.http.post(format!("{}{PATH}", service.url)).header("content-type", content_type);
        let answer = Answer::of(request.bearer_auth(&access).body(body).send().await.unwrap()).await;
        findings.check(what, &answer, &[400]);
        findings.check_that(answer.text == plain.text, || format!("{what}: {}", answer.text));
    }
    let head = |length: u64| {
        format!(
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for length in [2 * hidden.len() as u64, 20_000_000, u64::MAX] {
        let mut wire = RawConnection::open(service.server().address()).await;
        wire.send(head(length) + hidden).await;
        let answers = wire.answers_to_end().await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        findings.check_that(matches!(statuses.as_slice(), [400 | 413]), || format!("{length} bytes: {statuses:?}"));
    }
    findings.assert_none();
}

/// Sends a login body with this content type.
async fn login_with(service: &Service, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
    let mut request = service.http.post(format!("{}/api/token/", service.url)).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn refuses_other_content_types(service: &Service) {
    let name = fresh("body");
    let access = service.register_and_login(&name).await.access;
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let mut findings = Findings::default();
    for content_type in [
        "text/plain",
        "text/json",
        "text/html",
        "application/xml",
        "application/jsonx",
        "application/x-json",
        "application/ld+json",
        "application/vnd.client+json",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/octet-stream",
        "application/x-www-form-urlencodedx",
        "multipart/mixed; boundary=B",
        "application",
        "json",
        "/",
        "*/*",
        "application/*",
        "application/json, text/plain",
        "<script>",
        "\u{E4}",
    ] {
        let answer = login_with(service, Some(content_type), body.clone()).await;
        findings.check(format!("{content_type:?}"), &answer, &[415]);
    }
    findings.check("no type", &login_with(service, None, body.clone()).await, &[415]);
    for (method, path, guarded) in &ROUTES {
        let request = service.http.request(method.clone(), format!("{}{path}", service.url)).body(body.clone());
        let request = request.header("content-type", "text/plain");
        let request = if *guarded { request.bearer_auth(&access) } else { request };
        let answer = Answer::of(request.send().await.unwrap()).await;
        findings.check(format!("{method} {path}"), &answer, &[415]);
        let detail = json!({"detail": "Unsupported media type \"text/plain\" in request."});
        findings.check_that(answer.json() == detail, || answer.text.clone());
    }
    findings.assert_none();
}

async fn refuses_compressed_bodies(service: &Service) {
    let name = fresh("body");
    service.register_and_login(&name).await;
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let mut findings = Findings::default();
    for (encodings, status) in [
        (&["identity"][..], 200),
        (&["Identity"], 200),
        (&["gzip"], 415),
        (&["br"], 415),
        (&["x-unknown"], 415),
        (&["identity", "gzip"], 415),
        (&["identity, gzip"], 415),
    ] {
        let mut request = service.http.post(format!("{}/api/token/", service.url)).body(body.clone());
        request = request.header("content-type", "application/json");
        for encoding in encodings {
            request = request.header("content-encoding", *encoding);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        findings.check(format!("{encodings:?}"), &answer, &[status]);
        let accepted = answer.headers.get("accept-encoding").map(|value| value.as_bytes());
        let expected = (status == 415).then_some(&b"identity"[..]);
        findings.check_that(accepted == expected, || format!("{encodings:?}: {accepted:?}"));
    }
    findings.assert_none();
}

async fn accepts_the_content_types_of_the_wire_contract(service: &Service) {
    let name = fresh("body");
    service.register_and_login(&name).await;
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let form = format!("username={name}&password={PASSWORD}");
    let part = |field: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
    };
    let multipart = format!("{}{}--B--\r\n", part("username", &name), part("password", PASSWORD));
    let mut findings = Findings::default();
    for (content_type, body) in [
        ("application/json", &body),
        ("application/json; charset=utf-8", &body),
        ("application/json ; charset=utf-8", &body),
        ("application/json\t;\tcharset=utf-8", &body),
        ("Application/JSON", &body),
        ("application/x-www-form-urlencoded", &form),
        ("application/x-www-form-urlencoded; charset=utf-8", &form),
        ("multipart/form-data; boundary=B", &multipart),
        ("multipart/form-data; boundary=\"B\"", &multipart),
        ("multipart/form-data ; boundary=\"B\"", &multipart),
    ] {
        findings.check(content_type, &login_with(service, Some(content_type), body.clone()).await, &[200]);
    }
    findings.assert_none();
}

async fn refuses_invalid_multipart_bodies(service: &Service) {
    const TYPE: &str = "multipart/form-data; boundary=B";
    let name = fresh("body");
    service.register_and_login(&name).await;
    let part = |head: &str, value: &str| format!("--B\r\n{head}\r\n\r\n{value}\r\n");
    let field = |field: &str, value: &str| part(&format!("Content-Disposition: form-data; name=\"{field}\""), value);
    let good = format!("{}{}--B--\r\n", field("username", &name), field("password", PASSWORD));
    assert_status(&login_with(service, Some(TYPE), good.clone()).await, 200);

    let mut findings = Findings::default();
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; charset=utf-8",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=C",
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=B--",
    ] {
        findings.check(content_type, &login_with(service, Some(content_type), good.clone()).await, &[400, 415]);
    }
    let file = r#"Content-Disposition: form-data; name="username"; filename="a.txt""#;
    let nameless = part("Content-Disposition: form-data", &name);
    let password = field("password", PASSWORD);
    for (what, body) in [
        ("nothing of the kind", b"garbage".to_vec()),
        ("only the end", b"--B--\r\n".to_vec()),
        ("no end", good.replace("--B--\r\n", "").into_bytes()),
        ("cut in a value", good.as_bytes()[..good.len() - 30].to_vec()),
        ("cut in a head", good.as_bytes()[..30].to_vec()),
        ("a file for a text field", format!("{}{password}--B--\r\n", part(file, "alice")).into_bytes()),
        ("a part without a name", format!("{nameless}{password}--B--\r\n").into_bytes()),
        ("a part without a head", format!("--B\r\n\r\n{name}\r\n{password}--B--\r\n").into_bytes()),
        ("a head that is not UTF-8", b"--B\r\n\xFF\xFE: \xFF\r\n\r\nx\r\n--B--\r\n".to_vec()),
        ("a head without an end", format!("--B\r\nContent-Disposition: {}", "x".repeat(50_000)).into_bytes()),
        ("a NUL in a value", format!("{}{password}--B--\r\n", field("username", "a\0b")).into_bytes()),
        ("a thousand parts", format!("{}--B--\r\n", field("x", "y").repeat(1_000)).into_bytes()),
        ("zeros", vec![0; 10_000]),
    ] {
        findings.check(what, &login_with(service, Some(TYPE), body).await, &[400]);
    }
    let long = "b".repeat(2_000);
    let content_type = format!("multipart/form-data; boundary={long}");
    findings.check("a long boundary", &login_with(service, Some(&content_type), good.clone()).await, &[400]);
    findings.check("afterwards", &login_with(service, Some(TYPE), good).await, &[200]);
    findings.assert_none();
}

async fn parses_invalid_forms_leniently(service: &Service) {
    let name = fresh("body");
    service.register_and_login(&name).await;
    let many = "a=b&".repeat(10_000);
    let mut findings = Findings::default();
    for (body, status) in [
        ("%", 400),
        ("%zz=%", 400),
        ("=", 400),
        ("&&&===&", 400),
        ("username", 400),
        ("{\"username\":\"alice\",\"password\":\"x\"}", 400),
        ("username=a%00b&password=x", 400),
        ("username=%FF%FE&password=%FF", 401),
        ("username=%ED%A0%80&password=x", 401),
        ("username[]=alice&password=x", 400),
        (&*many, 400),
        (&*format!("{many}username={name}&password={PASSWORD}"), 200),
        (&*format!("username=nobody&username={name}&password={PASSWORD}"), 200),
        (&*format!("username={name}&username=nobody&password={PASSWORD}"), 401),
    ] {
        let answer = login_with(service, Some("application/x-www-form-urlencoded"), body.to_owned()).await;
        findings.check(format!("{body:.60}"), &answer, &[status]);
    }
    findings.assert_none();
}

async fn an_empty_body_is_an_empty_object(service: &Service) {
    let required = json!(["This field is required."]);
    let expected = json!({"username": required, "password": required});
    for content_type in [None, Some("application/json"), Some("multipart/form-data; boundary=B"), Some("text/plain")] {
        assert_answer(&login_with(service, content_type, "").await, 400, &expected);
    }
}
