//! Where credentials are read, and in which shape: one `Authorization` header of two parts (SEC-001, SEC-017, SEC-018,
//! SEC-097).

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
            only_one_shape_of_the_header_is_a_credential,
            two_authorization_headers_are_one_too_many,
            tokens_elsewhere_are_not_read,
            an_overlong_header_is_refused,
            bad_credentials_are_refused_where_none_are_needed,
            bytes_that_are_no_text_are_no_credentials;
        servers.development =>
            only_one_shape_of_the_header_is_a_credential,
            tokens_elsewhere_are_not_read,
            an_overlong_header_is_refused,
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

/// A request with these header lines, sent as they are.
async fn ask(service: &Service, head: &str, headers: impl AsRef<[u8]>) -> Answer {
    let mut request = format!("{head} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    request.extend_from_slice(headers.as_ref());
    request.extend_from_slice(b"\r\n");
    exchange(service.server().address(), request).await.expect("an answer")
}

async fn only_one_shape_of_the_header_is_a_credential(service: &Service) {
    let token = service.newcomer(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for shape in ["Bearer TOKEN", "Bearer  TOKEN", "Bearer\tTOKEN", " Bearer TOKEN ", "Bearer TOKEN   "] {
        let answer =
            ask(service, "GET /api/users/me/", format!("Authorization: {}\r\n", shape.replace("TOKEN", &token)));
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
        let answer = ask(service, "GET /api/users/me/", header).await;
        findings.check(format!("{shape:?}"), &answer, &[401]);
        findings.note(answer.json() == expected, || format!("{shape:?}: {}", answer.text));
    }
    let answer = ask(service, "GET /api/users/me/", "").await;
    findings.check("no header", &answer, &[401]);
    findings.note(answer.json() == not_provided(), || answer.text.clone());
    findings.close();
}

async fn two_authorization_headers_are_one_too_many(service: &Service) {
    let token = service.newcomer(&fresh("header")).await.access;
    let other = service.newcomer(&fresh("header")).await.access;
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
        findings.check(format!("{one} and {two}"), &ask(service, "GET /api/users/me/", header).await, &[401]);
    }
    findings.close();
}

async fn tokens_elsewhere_are_not_read(service: &Service) {
    let token = service.newcomer(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for name in ["access_token", "token", "access", "jwt", "auth", "bearer", "Authorization", "authorization"] {
        for value in [token.clone(), format!("Bearer%20{token}")] {
            let head = format!("GET /api/users/me/?{name}={value}");
            findings.check(format!("query {name}"), &ask(service, &head, "").await, &[401]);
        }
        let cookie = format!("Cookie: {name}={token}; {name}=Bearer {token}; __Host-{name}={token}\r\n");
        findings.check(format!("cookie {name}"), &ask(service, "GET /api/users/me/", cookie).await, &[401]);
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
        "X-TestClient-Key",
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
        findings.check(name, &ask(service, "GET /api/users/me/", header).await, &[401]);
    }
    // Credentials in the address are no token either.
    let head = format!("GET http://x:{token}@localhost/api/users/me/");
    findings.check("user info", &ask(service, &head, "").await, &[400, 401]);
    findings.close();
}

async fn an_overlong_header_is_refused(service: &Service) {
    let token = service.newcomer(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for name in ["Authorization", "X-Anything", "Cookie", "User-Agent", "Accept-Language"] {
        for (length, is_too_long) in [(8_000, false), (8_191, true), (60_000, true)] {
            let own =
                if name == "Authorization" { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
            let header = format!("{own}{name}: {}\r\n", "x".repeat(length));
            let answer = ask(service, "GET /api/users/me/", header).await;
            let expected = match (is_too_long, name) {
                (true, _) => 431,
                (false, "Authorization") => 401,
                (false, _) => 200,
            };
            findings.check(format!("{name} of {length}"), &answer, &[expected]);
        }
    }
    // Whatever is asked.
    let header = format!("X-Anything: {}\r\n", "x".repeat(8_191));
    for head in ["GET /healthz", "GET /nowhere", "POST /api/token/", "OPTIONS /api/token/"] {
        findings.check(head, &ask(service, head, &header).await, &[431]);
    }
    findings.close();
}

async fn bad_credentials_are_refused_where_none_are_needed(service: &Service) {
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
    // Another scheme is nobody's credentials here.
    let request = service.http.post(format!("{}/api/register/", service.url)).basic_auth("a", Some("b")).json(&body);
    assert_status(&Answer::of(request.send().await.unwrap()).await, 201);
    // The token endpoints do not look at them.
    let login = json!({"username": name, "password": "Correct-horse-42"});
    assert_status(&service.post("/api/token/", Some("abc"), login).await, 200);
}

async fn bytes_that_are_no_text_are_no_credentials(service: &Service) {
    let token = service.newcomer(&fresh("header")).await.access;
    let mut findings = Findings::default();
    for bytes in [&b"\xFF\xFE"[..], b"\xC3\xA9", b"\x80", b"\xED\xA0\x80", "\u{1F600}".as_bytes()] {
        for header in [
            [b"Authorization: Bearer ", bytes, b"\r\n"].concat(),
            [b"Authorization: Bearer ", token.as_bytes(), bytes, b"\r\n"].concat(),
            [b"Authorization: ", bytes, b" ", token.as_bytes(), b"\r\n"].concat(),
            [b"Authorization: Bearer\xA0", token.as_bytes(), b"\r\n"].concat(),
        ] {
            findings.check(format!("{bytes:?}"), &ask(service, "GET /api/users/me/", header).await, &[401]);
        }
        // Elsewhere they do not matter.
        let header = [format!("Authorization: Bearer {token}\r\nX-Anything: ").as_bytes(), bytes, b"\r\n"].concat();
        findings.check(format!("{bytes:?} elsewhere"), &ask(service, "GET /api/users/me/", header).await, &[200]);
    }
    findings.close();
}
