//! Malformed and unusual headers at a guarded path: each gets the answer of the wire contract (section 4), and none a 5xx.

use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnSqlite =>
            authorization_headers_get_the_answers_of_the_wire_contract,
            a_configured_header_gets_the_answers_of_the_wire_contract,
            tokens_elsewhere_are_ignored]
}

/// An expected answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Accepted,
    NoCredentials,
    NotTwoValues,
    NotValid,
    TooLarge,
    /// A 400 of the HTTP server, because this is not valid HTTP.
    NotHttp,
}

use Expected::{Accepted, NoCredentials, NotHttp, NotTwoValues, NotValid, TooLarge};
use auth_tests::answers::Findings;
use auth_tests::cases::OnSqlite;
use auth_tests::raw_connection::exchange;
use auth_tests::{Answer, Database, cases};

use crate::guarded_routes::fixture::Blog;

impl Expected {
    const fn status(self) -> u16 {
        match self {
            Accepted => 200,
            NoCredentials | NotTwoValues | NotValid => 401,
            TooLarge => 431,
            NotHttp => 400,
        }
    }

    fn matches_body(self, body: &Value) -> bool {
        match self {
            Accepted => body["message"].as_str().is_some_and(|message| message.starts_with("Hello, ")),
            NoCredentials => *body == json!({"detail": "Authentication credentials were not provided."}),
            NotTwoValues => {
                let detail = "Authorization header must contain two space-delimited values";
                *body == json!({"detail": detail, "code": "bad_authorization_header"})
            }
            NotValid => {
                let message =
                    json!({"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"});
                let detail = "Given token not valid for any token type";
                *body == json!({"detail": detail, "code": "token_not_valid", "messages": [message]})
            }
            TooLarge => body["detail"].is_string(),
            NotHttp => true,
        }
    }
}

/// Header lines with the expected answers. `NAME` stands for the name of the header, `TOKEN` for a valid token.
fn shapes() -> Vec<(Vec<u8>, Expected)> {
    let long = |length: usize| format!("NAME: Bearer {}\r\n", "x".repeat(length - "Bearer ".len())).into_bytes();
    let strings = [
        ("", NoCredentials),
        ("NAME:\r\n", NoCredentials),
        ("NAME: \t \r\n", NoCredentials),
        ("NAME: Bearer TOKEN\r\n", Accepted),
        ("name:Bearer TOKEN\r\n", Accepted),
        ("NAME:  \t Bearer TOKEN \t \r\n", Accepted),
        ("NAME: Bearer\tTOKEN\r\n", Accepted),
        ("NAME: Bearer \t  TOKEN\r\n", Accepted),
        ("NAME: bearer TOKEN\r\n", NoCredentials),
        ("NAME: BEARER TOKEN\r\n", NoCredentials),
        ("NAME: bEARER TOKEN\r\n", NoCredentials),
        ("NAME: TOKEN\r\n", NoCredentials),
        ("NAME: Token TOKEN\r\n", NoCredentials),
        ("NAME: Basic TOKEN\r\n", NoCredentials),
        ("NAME: \"Bearer\" TOKEN\r\n", NoCredentials),
        ("NAME: \"Bearer TOKEN\"\r\n", NoCredentials),
        ("NAME: 'Bearer TOKEN'\r\n", NoCredentials),
        ("NAME: Bearer,TOKEN\r\n", NoCredentials),
        ("NAME: Bearer:TOKEN\r\n", NoCredentials),
        ("NAME: ,Bearer TOKEN\r\n", NoCredentials),
        ("NAME: Basic YTpi, Bearer TOKEN\r\n", NoCredentials),
        ("NAME: B\u{e9}arer TOKEN\r\n", NoCredentials),
        ("NAME: Bearer\u{a0}TOKEN\r\n", NoCredentials),
        ("NAME: Bearer\u{3000}TOKEN\r\n", NoCredentials),
        ("NAME: Bearer\r\n", NotTwoValues),
        ("NAME: Bearer \t \r\n", NotTwoValues),
        ("NAME: Bearer TOKEN x\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN TOKEN\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN, Bearer TOKEN\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN ,\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN\r\nNAME: Bearer TOKEN\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN\r\nname: Bearer a.b.c\r\n", NotTwoValues),
        ("NAME: Bearer a.b.c\r\nNAME: Bearer TOKEN\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN\r\nNAME: Basic YTpi\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN\r\nNAME:\r\n", NotTwoValues),
        ("NAME: Bearer TOKEN\r\nX-Between: 1\r\nNAME: Bearer TOKEN\r\n", NotTwoValues),
        // The first one counts, as if a proxy had joined them.
        ("NAME: Basic YTpi\r\nNAME: Bearer TOKEN\r\n", NoCredentials),
        ("NAME:\r\nNAME: Bearer TOKEN\r\n", NoCredentials),
        ("NAME: Bearer a.b.c\r\n", NotValid),
        ("NAME: Bearer ..\r\n", NotValid),
        ("NAME: Bearer null\r\n", NotValid),
        ("NAME: Bearer TOKEN,\r\n", NotValid),
        ("NAME: Bearer TOKEN,TOKEN\r\n", NotValid),
        ("NAME: Bearer \"TOKEN\"\r\n", NotValid),
        ("NAME: Bearer <TOKEN>\r\n", NotValid),
        ("NAME: Bearer 'TOKEN'\r\n", NotValid),
        ("NAME: Bearer token=TOKEN\r\n", NotValid),
        ("NAME: Bearer TOKEN\u{e9}\r\n", NotValid),
        ("NAME: Bearer \u{1f511}\r\n", NotValid),
        ("NAME: Bearer TOKEN\0\r\n", NotHttp),
        ("NAME: Bearer \0TOKEN\r\n", NotHttp),
        ("NAME: \0Bearer TOKEN\r\n", NotHttp),
        ("NAME\0: Bearer TOKEN\r\n", NotHttp),
        ("NAME: Bearer\x01TOKEN\r\n", NotHttp),
        ("NAME: Bearer\x0bTOKEN\r\n", NotHttp),
        ("NAME: Bearer\x0cTOKEN\r\n", NotHttp),
        ("NAME: Bearer TOKEN\x7f\r\n", NotHttp),
        ("NAME: Bearer\r\n TOKEN\r\n", NotHttp),
        ("NAME : Bearer TOKEN\r\n", NotHttp),
    ];
    let mut shapes: Vec<_> = strings.into_iter().map(|(text, expected)| (text.as_bytes().to_vec(), expected)).collect();
    shapes.extend([
        (b"NAME: Bearer \xff\xfe.\xff.\xfe\r\n".to_vec(), NotValid),
        (b"NAME: Bearer\xa0TOKEN\r\n".to_vec(), NoCredentials),
        (b"NAME: \xc3\x28 TOKEN\r\n".to_vec(), NoCredentials),
        (long(8_190), NotValid),
        (long(8_191), TooLarge),
        (long(60_000), TooLarge),
    ]);
    shapes
}

/// Replaces a substring in bytes that need not be UTF-8.
fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        match rest.strip_prefix(from.as_bytes()) {
            Some(after) => {
                replaced.extend_from_slice(to.as_bytes());
                rest = after;
            }
            None => {
                replaced.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    replaced
}

async fn send_raw(blog: &Blog, target: &str, headers: &[u8]) -> Answer {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n");
    let answer = exchange(blog.server.address(), request).await;
    answer.unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(headers)))
}

async fn check_all_shapes(database: &Database, name: &str) {
    let blog = Blog::start(database.server("development").env("AUTH__HTTP__AUTH_HEADER_NAME", name));
    let token = blog.client.register_and_login("alice").await.access;
    let mut findings = Findings::default();
    for (shape, expected) in shapes() {
        let headers = replace(&replace(&replace(&shape, "NAME", name), "name", &name.to_lowercase()), "TOKEN", &token);
        let answer = send_raw(&blog, "/api/protected/", &headers).await;
        let row = || String::from_utf8_lossy(&shape[..shape.len().min(80)]).into_owned();
        if expected == NotHttp {
            findings.check_that(answer.status == 400, || format!("{:?}: {}", row(), answer.status));
        } else {
            findings.check(format!("{:?}", row()), &answer, &[expected.status()]);
        }
        findings.check_that(expected.matches_body(&answer.json()), || {
            format!("{:?}: not {expected:?}: {}", row(), answer.text)
        });
        let challenge = answer.headers.get("www-authenticate").is_some();
        findings.check_that(challenge == (expected.status() == 401), || format!("{:?}: WWW-Authenticate", row()));
    }
    findings.assert_none();
}

async fn authorization_headers_get_the_answers_of_the_wire_contract(database: Database) {
    check_all_shapes(&database, "Authorization").await;
}

async fn a_configured_header_gets_the_answers_of_the_wire_contract(database: Database) {
    check_all_shapes(&database, "X-Access-Token").await;
}

async fn tokens_elsewhere_are_ignored(database: Database) {
    for (name, others) in [
        ("Authorization", ["X-Access-Token", "Proxy-Authorization"]),
        ("X-Access-Token", ["Authorization", "Proxy-Authorization"]),
    ] {
        // Both blogs share a database, so each uses its own account.
        let blog = Blog::start(database.server("development").env("AUTH__HTTP__AUTH_HEADER_NAME", name));
        let token = blog.client.register_and_login(&name.to_lowercase().replace('-', "")).await.access;
        let read = send_raw(&blog, "/api/protected/", format!("{name}: Bearer {token}\r\n").as_bytes()).await;
        assert_eq!(read.status, 200, "{}", read.text);
        let mut findings = Findings::default();
        let mut requests = Vec::new();
        for header in others.into_iter().chain([
            "X-Authorization",
            "X-Forwarded-Authorization",
            "X-Auth-Token",
            "HTTP_AUTHORIZATION",
            "Authorization2",
            "X-Access-Tokens",
            "X_Access_Token",
            "WWW-Authenticate",
            "Forwarded",
            "Referer",
            "X-Request-Id",
        ]) {
            requests.push((String::new(), format!("{header}: Bearer {token}\r\n")));
            requests.push((String::new(), format!("{header}: {token}\r\n")));
        }
        for key in ["token", "access_token", "access", "jwt", "Authorization", "authorization", name] {
            requests.push((format!("?{key}={token}"), String::new()));
            requests.push((format!("?{key}=Bearer%20{token}"), String::new()));
            requests.push((String::new(), format!("Cookie: {key}={token}\r\n")));
            requests.push((String::new(), format!("Cookie: {key}=Bearer {token}; {key}=\"{token}\"\r\n")));
        }
        requests.push((format!("#{token}").replace('#', "%23"), String::new()));
        for (query, headers) in requests {
            let target = format!("/api/protected/{query}");
            let answer = send_raw(&blog, &target, headers.as_bytes()).await;
            let (expected, status) = if query.starts_with('%') { (None, 404) } else { (Some(NoCredentials), 401) };
            let row = format!("{query}{headers}").replace(&token, "TOKEN");
            findings.check(&row, &answer, &[status]);
            findings.check_that(expected.is_none_or(|expected| expected.matches_body(&answer.json())), || {
                format!("{row}: {}", answer.text)
            });
            findings.check_that(!format!("{answer:?}").contains(&token), || format!("{row}: the token is repeated"));
        }
        findings.assert_none();
    }
}
