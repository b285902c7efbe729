//! Where credentials are read, and in which form: exactly one `Authorization` header with two parts (SEC-001, SEC-017,
//! SEC-018, SEC-097).

use auth_tests::answers::{Findings, assert_status};
use auth_tests::raw_connection::exchange;
use auth_tests::{Answer, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            accepts_only_bearer_and_one_token,
            refuses_two_authorization_headers,
            tokens_outside_the_authorization_header_are_ignored,
            refuses_a_header_over_the_limit,
            refuses_malformed_credentials_on_open_endpoints,
            non_ascii_credentials_are_refused;
        servers.development =>
            accepts_only_bearer_and_one_token,
            tokens_outside_the_authorization_header_are_ignored,
            refuses_a_header_over_the_limit,
    ]
}

fn not_provided() -> Value {
    json!({"detail": "Authentication credentials were not provided."})
}

fn two_values() -> Value {
    json!({
        "detail": "Authorization header must contain two space-delimited values", "code": "bad_authorization_header",
    })
}

fn invalid() -> Value {
    json!({
        "detail": "Given token not valid for any token type", "code": "token_not_valid",
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}],
    })
}

/// Sends a request with these raw header lines.
async fn send_raw(service: &Service, head: &str, headers: impl AsRef<[u8]>) -> Answer {
    let mut request = format!("{head} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    request.extend_from_slice(headers.as_ref());
    request.extend_from_slice(b"\r\n");
    exchange(service.server().address(), request).await.expect("an answer")
}

async fn accepts_only_bearer_and_one_token(service: &Service) {
    let token = service.register_and_login(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for shape in ["Bearer TOKEN", "Bearer  TOKEN", "Bearer\tTOKEN", " Bearer TOKEN ", "Bearer TOKEN   "] {
        let answer =
            send_raw(service, "GET /api/users/me/", format!("Authorization: {}\r\n", shape.replace("TOKEN", &token)));
        findings.check(shape, &answer.await, &[200]);
    }
    for (shape, expected) in [
        ("", not_provided()),
        ("   ", not_provided()),
        ("TOKEN", not_provided()),
        ("bearer TOKEN", not_provided()),
        ("BEARER TOKEN", not_provided()),
        ("Bearer: TOKEN", not_provided()),
        ("Bearer=TOKEN", not_provided()),
        ("\"Bearer TOKEN\"", not_provided()),
        ("Token TOKEN", not_provided()),
        ("JWT TOKEN", not_provided()),
        ("Basic TOKEN", not_provided()),
        ("Digest TOKEN", not_provided()),
        ("DPoP TOKEN", not_provided()),
        ("xBearer TOKEN", not_provided()),
        ("BearerTOKEN", not_provided()),
        ("Basic x, Bearer TOKEN", not_provided()),
        ("Bearer", two_values()),
        ("Bearer   ", two_values()),
        ("Bearer TOKEN TOKEN", two_values()),
        ("Bearer Bearer TOKEN", two_values()),
        ("Bearer TOKEN, Bearer TOKEN", two_values()),
        ("Bearer TOKEN x", two_values()),
        ("Bearer TOKEN,", invalid()),
        ("Bearer TOKEN;", invalid()),
        ("Bearer \"TOKEN\"", invalid()),
        ("Bearer 'TOKEN'", invalid()),
        ("Bearer <TOKEN>", invalid()),
        ("Bearer token=TOKEN", invalid()),
        ("Bearer access_token=\"TOKEN\"", invalid()),
        ("Bearer TOKEN.", invalid()),
        ("Bearer null", invalid()),
        ("Bearer undefined", invalid()),
        ("Bearer {}", invalid()),
    ] {
        let header = format!("Authorization: {}\r\n", shape.replace("TOKEN", &token));
        let answer = send_raw(service, "GET /api/users/me/", header).await;
        findings.check(format!("{shape:?}"), &answer, &[401]);
        findings.check_that(answer.json() == expected, || format!("{shape:?}: {}", answer.text));
    }
    let answer = send_raw(service, "GET /api/users/me/", "").await;
    findings.check("no header", &answer, &[401]);
    findings.check_that(answer.json() == not_provided(), || answer.text.clone());
    findings.assert_none();
}

async fn refuses_two_authorization_headers(service: &Service) {
    let token = service.register_and_login(&fresh("header")).await.access;
    let other = service.register_and_login(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for (one, two) in [
        ("Bearer TOKEN", "Bearer TOKEN"),
        ("Bearer TOKEN", "Bearer OTHER"),
        ("Bearer TOKEN", "Bearer x.y.z"),
        ("Bearer x.y.z", "Bearer TOKEN"),
        ("Bearer TOKEN", "Basic eDp5"),
        ("Bearer TOKEN", ""),
        ("Basic eDp5", "Bearer TOKEN"),
        ("", "Bearer TOKEN"),
    ] {
        let header = format!("Authorization: {one}\r\nauthorization: {two}\r\n");
        let header = header.replace("TOKEN", &token).replace("OTHER", &other);
        findings.check(format!("{one} and {two}"), &send_raw(service, "GET /api/users/me/", header).await, &[401]);
    }
    findings.assert_none();
}

async fn tokens_outside_the_authorization_header_are_ignored(service: &Service) {
    let token = service.register_and_login(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for name in ["access_token", "token", "access", "jwt", "auth", "bearer", "Authorization", "authorization"] {
        for value in [token.clone(), format!("Bearer%20{token}")] {
            let head = format!("GET /api/users/me/?{name}={value}");
            findings.check(format!("query {name}"), &send_raw(service, &head, "").await, &[401]);
        }
        let cookie = format!("Cookie: {name}={token}; {name}=Bearer {token}; __Host-{name}={token}\r\n");
        findings.check(format!("cookie {name}"), &send_raw(service, "GET /api/users/me/", cookie).await, &[401]);
        let request = service.http.patch(format!("{}/api/users/me/", service.url)).form(&[(name, &token)]);
        findings.check(format!("form {name}"), &Answer::of(request.send().await.unwrap()).await, &[401]);
        let request = service.http.patch(format!("{}/api/users/me/", service.url)).json(&json!({name: token}));
        findings.check(format!("JSON {name}"), &Answer::of(request.send().await.unwrap()).await, &[401]);
    }
    for name in [
        "X-Access-Token",
        "X-Authorization",
        "X-Auth-Token",
        "X-Forwarded-Authorization",
        "Proxy-Authorization",
        "X-Api-Key",
        "Access-Token",
        "Token",
        "Bearer",
        "Sec-WebSocket-Protocol",
        "HTTP_AUTHORIZATION",
        "X-User-Id",
        "X-Remote-User",
        "Remote-User",
    ] {
        let header = format!("{name}: Bearer {token}\r\n");
        findings.check(name, &send_raw(service, "GET /api/users/me/", header).await, &[401]);
    }
    // Nor is user info in the request target a credential.
    let head = format!("GET http://x:{token}@localhost/api/users/me/");
    findings.check("user info", &send_raw(service, &head, "").await, &[400, 401]);
    findings.assert_none();
}

async fn refuses_a_header_over_the_limit(service: &Service) {
    let token = service.register_and_login(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for name in ["Authorization", "X-Anything", "Cookie", "User-Agent", "Accept-Language"] {
        for (length, is_over_limit) in [(8_000, false), (8_191, true), (60_000, true)] {
            let own =
                if name == "Authorization" { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
            let header = format!("{own}{name}: {}\r\n", "x".repeat(length));
            let answer = send_raw(service, "GET /api/users/me/", header).await;
            let expected = match (is_over_limit, name) {
                (true, _) => 431,
                (false, "Authorization") => 401,
                (false, _) => 200,
            };
            findings.check(format!("{name} of {length}"), &answer, &[expected]);
        }
    }
    // On every route.
    let header = format!("X-Anything: {}\r\n", "x".repeat(8_191));
    for head in ["GET /healthz", "GET /nowhere", "POST /api/token/", "OPTIONS /api/token/"] {
        findings.check(head, &send_raw(service, head, &header).await, &[431]);
    }
    findings.assert_none();
}

async fn refuses_malformed_credentials_on_open_endpoints(service: &Service) {
    let name = fresh("header");
    let body = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Al", "password": "Correct-horse-42",
        "password2": "Correct-horse-42",
    });
    for (bearer, expected) in [("abc", invalid()), ("", two_values()), ("a b", two_values())] {
        let answer = service.post("/api/register/", Some(bearer), body.clone()).await;
        assert_status(&answer, 401);
        assert_eq!(answer.json(), expected);
    }
    // Another scheme does not count as credentials.
    let request = service.http.post(format!("{}/api/register/", service.url)).basic_auth("a", Some("b")).json(&body);
    assert_status(&Answer::of(request.send().await.unwrap()).await, 201);
    // The token endpoints ignore credentials.
    let login = json!({"username": name, "password": "Correct-horse-42"});
    assert_status(&service.post("/api/token/", Some("abc"), login).await, 200);
}

async fn non_ascii_credentials_are_refused(service: &Service) {
    let token = service.register_and_login(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for bytes in [&b"\xFF\xFE"[..], b"\xC3\xA9", b"\x80", b"\xED\xA0\x80", "\u{1F600}".as_bytes()] {
        for header in [
            [b"Authorization: Bearer ", bytes, b"\r\n"].concat(),
            [b"Authorization: Bearer ", token.as_bytes(), bytes, b"\r\n"].concat(),
            [b"Authorization: ", bytes, b" ", token.as_bytes(), b"\r\n"].concat(),
            [b"Authorization: Bearer\xA0", token.as_bytes(), b"\r\n"].concat(),
        ] {
            findings.check(format!("{bytes:?}"), &send_raw(service, "GET /api/users/me/", header).await, &[401]);
        }
        // In other headers such bytes do no harm.
        let header = [format!("Authorization: Bearer {token}\r\nX-Anything: ").as_bytes(), bytes, b"\r\n"].concat();
        findings.check(format!("{bytes:?} elsewhere"), &send_raw(service, "GET /api/users/me/", header).await, &[200]);
    }
    findings.assert_none();
}
