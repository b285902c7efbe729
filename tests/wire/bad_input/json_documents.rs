//! Malformed and unusual JSON (SEC-070, SEC-072).

use auth_http::routes::standard;
use auth_tests::answers::{Findings, assert_status};
use auth_tests::{Answer, PASSWORD, cases};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            parses_json_test_suite_as_expected,
            refuses_documents_nested_ten_thousand_deep,
            refuses_documents_that_are_not_utf_8,
            refuses_two_documents_in_one_body,
            lists_every_route_with_a_body,
            accepts_thousands_of_keys,
            the_last_of_duplicate_keys_counts;
        servers.development =>
            parses_json_test_suite_as_expected,
            refuses_documents_that_are_not_utf_8,
    ]
}

/// Every route that reads JSON; `true` if it requires credentials.
pub(crate) const ROUTES: [(Method, &str, bool); 18] = [
    (Method::POST, "/api/register/", false),
    (Method::POST, "/api/token/", false),
    (Method::POST, "/api/token/second-factor/", false),
    (Method::POST, "/api/token/refresh/", false),
    (Method::POST, "/api/token/verify/", false),
    (Method::POST, "/api/token/blacklist/", false),
    (Method::POST, "/api/logout/", true),
    (Method::PUT, "/api/users/me/", true),
    (Method::PATCH, "/api/users/me/", true),
    (Method::POST, "/api/users/me/password/", true),
    (Method::POST, "/api/password-reset/", false),
    (Method::POST, "/api/password-reset/confirm/", false),
    (Method::POST, "/api/email/verify/", false),
    (Method::POST, "/api/email/verify/resend/", false),
    (Method::POST, "/api/users/me/second-factors/", true),
    (Method::POST, "/api/users/me/second-factors/confirm/", true),
    (Method::POST, "/api/users/me/second-factors/remove/", true),
    (Method::POST, "/api/users/me/second-factors/recovery-codes/", true),
];

/// Sends a body labelled as JSON.
pub(crate) async fn send(
    service: &Service,
    method: &Method,
    path: &str,
    bearer: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let request = service.http.request(method.clone(), format!("{}{path}", service.url)).body(body);
    let request = request.header("content-type", "application/json");
    let request = match bearer {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    Answer::of(request.send().await.expect("an answer")).await
}

/// A new route must be listed in [`ROUTES`], or here if it reads no body.
async fn lists_every_route_with_a_body(_: &Service) {
    let without = ["/api/users/me/second-factors/challenge/"];
    for endpoint in standard() {
        let (path, allow) = (endpoint.path(), endpoint.allow());
        for method in allow.split(", ").filter(|method| ["POST", "PUT", "PATCH"].contains(method)) {
            let is_listed = ROUTES.iter().any(|(listed, at, _)| listed.as_str() == method && *at == path);
            assert_ne!(is_listed, without.contains(&path), "{method} {path}");
        }
    }
}

/// Sends bodies to every route that reads JSON. Each must be answered with 400, and as a parse error if `is_malformed`.
async fn refused_everywhere(service: &Service, bodies: &[(&str, Vec<u8>)], is_malformed: bool) {
    let access = service.register_and_login(&fresh("json")).await.access;
    let mut findings = Findings::default();
    for (what, body) in bodies {
        for (method, path, guarded) in &ROUTES {
            let answer = send(service, method, path, guarded.then_some(&access), body.clone()).await;
            findings.check(format!("{what} at {method} {path}"), &answer, &[400]);
            let is_parse_error = answer.text.starts_with(r#"{"detail":"JSON parse error - "#);
            findings
                .check_that(is_parse_error == is_malformed, || format!("{what} at {method} {path}: {}", answer.text));
        }
    }
    findings.check("afterwards", &service.me(&access).await, &[200]);
    findings.assert_none();
}

async fn parses_json_test_suite_as_expected(service: &Service) {
    let mut findings = Findings::default();
    for line in include_str!("../../data/vectors/json/json_test_suite.jsonl").lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let (name, expect) = (vector["name"].as_str().unwrap(), vector["expect"].as_str().unwrap());
        let body = STANDARD.decode(vector["b64"].as_str().unwrap()).unwrap();
        let is_empty = body.is_empty();
        let answer = send(service, &Method::POST, "/api/token/", None, body).await;
        findings.check(name, &answer, if expect == "reject" { &[400] } else { &[400, 401] });
        let is_parse_error = answer.text.starts_with(r#"{"detail":"JSON parse error - "#);
        match expect {
            // An empty body counts as an empty object.
            "reject" if !is_empty => findings.check_that(is_parse_error, || format!("{name} is read: {}", answer.text)),
            "accept" => findings.check_that(!is_parse_error, || format!("{name} is not read: {}", answer.text)),
            _ => {}
        }
    }
    findings.assert_none();
}

async fn refuses_documents_nested_ten_thousand_deep(service: &Service) {
    const DEPTH: usize = 10_000;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH)).into_bytes();
    let in_fields = |value: &str| {
        let names = [
            "username",
            "email",
            "first_name",
            "last_name",
            "password",
            "refresh",
            "token",
            "old_password",
            "new_password",
            "challenge",
            "code",
            "method",
        ];
        let fields: Vec<_> = names.iter().map(|name| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    };
    let lists = String::from_utf8(nested("[", "]")).unwrap();
    // A quarter of the depth, so that all fields fit into one body.
    let shallower = &lists[DEPTH * 3 / 4..lists.len() - DEPTH * 3 / 4];
    refused_everywhere(service, &[("lists", nested("[", "]")), ("lists in every field", in_fields(shallower))], false)
        .await;
    let unclosed = [
        ("lists without an end", "[".repeat(DEPTH).into_bytes()),
        ("objects without an end", "{\"a\":".repeat(DEPTH).into_bytes()),
        ("lists of objects without an end", "[{\"a\":".repeat(DEPTH / 2).into_bytes()),
        ("a list with too many ends", format!("{lists}]").into_bytes()),
    ];
    refused_everywhere(service, &unclosed, true).await;

    // An unknown field is ignored or refused, even if deeply nested.
    let access = service.register_and_login(&fresh("json")).await.access;
    let mut findings = Findings::default();
    for (what, open, close) in [("lists", "[", "]"), ("objects", "{\"a\":", "}")] {
        let unknown = [b"{\"unknown\":".to_vec(), nested(open, close), b"}".to_vec()].concat();
        let answer = send(service, &Method::PATCH, "/api/users/me/", Some(&access), unknown).await;
        findings.check(format!("{what} in an unknown field"), &answer, &[200, 400]);
    }
    findings.assert_none();
}

async fn refuses_documents_that_are_not_utf_8(service: &Service) {
    let text = r#"{"username":"alice","password":"x","refresh":"x","token":"x"}"#;
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let bodies = [
        ("UTF-8 with a byte order mark", [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
        ("UTF-16, little end first", utf_16(u16::to_le_bytes)),
        ("UTF-16, big end first", utf_16(u16::to_be_bytes)),
        ("UTF-16 with a byte order mark", [vec![0xFF, 0xFE], utf_16(u16::to_le_bytes)].concat()),
        ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
        ("Latin-1", b"{\"username\":\"andr\xE9\"}".to_vec()),
        ("an overlong NUL", b"{\"username\":\"a\xC0\x80\"}".to_vec()),
        ("half a surrogate pair in UTF-8", b"{\"username\":\"\xED\xA0\x80\"}".to_vec()),
        ("a bad key", b"{\"us\xFFername\":\"alice\"}".to_vec()),
        ("zeros", vec![0; 64]),
    ];
    refused_everywhere(service, &bodies, true).await;
}

async fn refuses_two_documents_in_one_body(service: &Service) {
    let first = json!({"username": "alice", "password": PASSWORD}).to_string();
    let two = |between: &str| format!("{first}{between}{first}").into_bytes();
    let bodies =
        [("side by side", two("")), ("after a blank", two(" ")), ("in lines", two("\n")), ("in a row", two(","))];
    refused_everywhere(service, &bodies, true).await;
}

async fn accepts_thousands_of_keys(service: &Service) {
    let name = fresh("json");
    let access = service.register_and_login(&name).await.access;
    let keys: Vec<_> = (0..4_000).map(|n| format!("\"key{n}\":{n}")).collect();
    let wide = format!("{{{}}}", keys.join(","));
    let mut findings = Findings::default();
    for (method, path, guarded) in &ROUTES {
        let answer = send(service, method, path, guarded.then_some(&access), wide.clone().into_bytes()).await;
        // None of the keys is a field of the profile, which stays unchanged.
        let expected = if *method == Method::PATCH { 200 } else { 400 };
        findings.check(format!("{method} {path}"), &answer, &[expected]);
    }
    findings.assert_none();
    let login = format!(r#"{{{},"username":"{name}","password":"{PASSWORD}"}}"#, keys.join(","));
    assert_status(&send(service, &Method::POST, "/api/token/", None, login.into_bytes()).await, 200);
}

async fn the_last_of_duplicate_keys_counts(service: &Service) {
    let name = fresh("json");
    service.register_and_login(&name).await;
    let mut findings = Findings::default();
    for (body, status) in [
        (format!(r#"{{"username":"unknown","username":"{name}","password":"{PASSWORD}"}}"#), 200),
        (format!(r#"{{"username":["x"],"username":"{name}","password":"x","password":"{PASSWORD}"}}"#), 200),
        (format!(r#"{{"username":"{name}","username":"unknown","password":"{PASSWORD}"}}"#), 401),
        (format!(r#"{{"username":"{name}","password":"{PASSWORD}","password":"x"}}"#), 401),
        (format!(r#"{{"username":"{name}","password":"{PASSWORD}","\u0070assword":"x"}}"#), 401),
        (format!(r#"{{"username":"{name}","password":"{PASSWORD}","password":null}}"#), 400),
    ] {
        let answer = send(service, &Method::POST, "/api/token/", None, body.clone().into_bytes()).await;
        findings.check(body, &answer, &[status]);
    }
    findings.assert_none();
}
