//! Hostile headers at a guarded path: each has the answer of the wire contract (section 4), and none is a 5xx.

use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnSqlite =>
            every_shape_of_the_header_has_its_answer,
            every_shape_of_another_header_has_its_answer,
            a_token_elsewhere_is_not_read]
}

/// What an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Welcome,
    NoCredentials,
    NotTwoValues,
    NotValid,
    TooLarge,
    /// Not HTTP: 400 of the server itself.
    NoRequest,
}

use Told::{NoCredentials, NoRequest, NotTwoValues, NotValid, TooLarge, Welcome};
use auth_tests::answers::Findings;
use auth_tests::cases::OnSqlite;
use auth_tests::raw_connection::exchange;
use auth_tests::{Answer, Database, cases};

use crate::guarded_routes::fixture::Blog;

impl Told {
    const fn status(self) -> u16 {
        match self {
            Welcome => 200,
            NoCredentials | NotTwoValues | NotValid => 401,
            TooLarge => 431,
            NoRequest => 400,
        }
    }

    fn is(self, body: &Value) -> bool {
        match self {
            Welcome => body["message"].as_str().is_some_and(|message| message.starts_with("Hello, ")),
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
            NoRequest => true,
        }
    }
}

/// Headers in which `NAME` is the name of the one that is read, and `TOKEN` a good token; and what is said to them.
fn shapes() -> Vec<(Vec<u8>, Told)> {
    let long = |length: usize| format!("NAME: Bearer {}\r\n", "x".repeat(length - "Bearer ".len())).into_bytes();
    let texts = [
        ("", NoCredentials),
        ("NAME:\r\n", NoCredentials),
        ("NAME: \t \r\n", NoCredentials),
        ("NAME: Bearer TOKEN\r\n", Welcome),
        ("name:Bearer TOKEN\r\n", Welcome),
        ("NAME:  \t Bearer TOKEN \t \r\n", Welcome),
        ("NAME: Bearer\tTOKEN\r\n", Welcome),
        ("NAME: Bearer \t  TOKEN\r\n", Welcome),
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
        // The first one counts, as it does where a proxy joins them.
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
        ("NAME: Bearer TOKEN\0\r\n", NoRequest),
        ("NAME: Bearer \0TOKEN\r\n", NoRequest),
        ("NAME: \0Bearer TOKEN\r\n", NoRequest),
        ("NAME\0: Bearer TOKEN\r\n", NoRequest),
        ("NAME: Bearer\x01TOKEN\r\n", NoRequest),
        ("NAME: Bearer\x0bTOKEN\r\n", NoRequest),
        ("NAME: Bearer\x0cTOKEN\r\n", NoRequest),
        ("NAME: Bearer TOKEN\x7f\r\n", NoRequest),
        ("NAME: Bearer\r\n TOKEN\r\n", NoRequest),
        ("NAME : Bearer TOKEN\r\n", NoRequest),
    ];
    let mut shapes: Vec<_> = texts.into_iter().map(|(text, told)| (text.as_bytes().to_vec(), told)).collect();
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

/// Replaces in bytes, which need not be text.
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

async fn ask(blog: &Blog, target: &str, headers: &[u8]) -> Answer {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n");
    let answer = exchange(blog.server.address(), request).await;
    answer.unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(headers)))
}

async fn every_shape(database: &Database, name: &str) {
    let blog = Blog::start(database.server("development").env("AUTH__HTTP__AUTH_HEADER_NAME", name));
    let token = blog.client.newcomer("alice").await.access;
    let mut findings = Findings::default();
    for (shape, told) in shapes() {
        let headers = replace(&replace(&replace(&shape, "NAME", name), "name", &name.to_lowercase()), "TOKEN", &token);
        let answer = ask(&blog, "/api/protected/", &headers).await;
        let row = || String::from_utf8_lossy(&shape[..shape.len().min(80)]).into_owned();
        if told == NoRequest {
            findings.note(answer.status == 400, || format!("{:?}: {}", row(), answer.status));
        } else {
            findings.check(format!("{:?}", row()), &answer, &[told.status()]);
        }
        findings.note(told.is(&answer.json()), || format!("{:?}: not {told:?}: {}", row(), answer.text));
        let challenge = answer.headers.get("www-authenticate").is_some();
        findings.note(challenge == (told.status() == 401), || format!("{:?}: the challenge", row()));
    }
    findings.close();
}

async fn every_shape_of_the_header_has_its_answer(database: Database) {
    every_shape(&database, "Authorization").await;
}

async fn every_shape_of_another_header_has_its_answer(database: Database) {
    every_shape(&database, "X-Access-Token").await;
}

async fn a_token_elsewhere_is_not_read(database: Database) {
    for (name, others) in [
        ("Authorization", ["X-Access-Token", "Proxy-Authorization"]),
        ("X-Access-Token", ["Authorization", "Proxy-Authorization"]),
    ] {
        // Of one database: the second blog finds the account of the first one.
        let blog = Blog::start(database.server("development").env("AUTH__HTTP__AUTH_HEADER_NAME", name));
        let token = blog.client.newcomer(&name.to_lowercase().replace('-', "")).await.access;
        let read = ask(&blog, "/api/protected/", format!("{name}: Bearer {token}\r\n").as_bytes()).await;
        assert_eq!(read.status, 200, "{}", read.text);
        let mut findings = Findings::default();
        let mut places = Vec::new();
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
            places.push((String::new(), format!("{header}: Bearer {token}\r\n")));
            places.push((String::new(), format!("{header}: {token}\r\n")));
        }
        for key in ["token", "access_token", "access", "jwt", "Authorization", "authorization", name] {
            places.push((format!("?{key}={token}"), String::new()));
            places.push((format!("?{key}=Bearer%20{token}"), String::new()));
            places.push((String::new(), format!("Cookie: {key}={token}\r\n")));
            places.push((String::new(), format!("Cookie: {key}=Bearer {token}; {key}=\"{token}\"\r\n")));
        }
        places.push((format!("#{token}").replace('#', "%23"), String::new()));
        for (query, headers) in places {
            let target = format!("/api/protected/{query}");
            let answer = ask(&blog, &target, headers.as_bytes()).await;
            let (told, status) = if query.starts_with('%') { (None, 404) } else { (Some(NoCredentials), 401) };
            let row = format!("{query}{headers}").replace(&token, "TOKEN");
            findings.check(&row, &answer, &[status]);
            findings.note(told.is_none_or(|told| told.is(&answer.json())), || format!("{row}: {}", answer.text));
            findings.note(!format!("{answer:?}").contains(&token), || format!("{row}: the token is said again"));
        }
        findings.close();
    }
}
