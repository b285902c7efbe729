//! Input is logged as data and cannot forge a record (CWE-117).

use auth_tests::{Database, PASSWORD, TestClient, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::SERVER;
use crate::operation::fixture::options;

/// A forged JSON record.
const FORGED: &str = r#"{"timestamp":"2026-01-01T00:00:00.000000Z","level":"INFO","forged":true}"#;
/// The beginning of a forged line of text.
const FORGED_LINE: &str = "2026-01-01T00:00:00.000000Z  INFO forged";

pub(super) async fn json_records_cannot_be_forged(database: Database) {
    let server = options(&database, "development").env("AUTH__LOG__LEVEL", "trace").start(SERVER);
    let log = send_everything(server).await;
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not a record: {line}"));
        assert!(record.is_object() && record["timestamp"].is_string() && record["forged"].is_null(), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(record["span"]["address"].as_str().is_none_or(|address| address == "127.0.0.1"), "{line}");
        let id = record["span"]["request_id"].as_str().unwrap_or_default();
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{line}");
    }
    assert!(log.contains("forged"), "no input was logged at all");
}

pub(super) async fn text_lines_cannot_be_forged(database: Database) {
    let options = options(&database, "development").env("AUTH__LOG__LEVEL", "trace").env("AUTH__LOG__FORMAT", "text");
    let server = options.env("NO_COLOR", "1").start(SERVER);
    let log = send_everything(server).await;
    for line in log.lines() {
        assert!(line.starts_with("20") && line.contains("Z "), "no time: {line}");
        assert!(!line.starts_with(FORGED_LINE), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert!(log.contains("forged"), "no input was logged at all");
}

/// Sends line breaks and forged records in every kind of input, stops the server and returns its log.
async fn send_everything(server: TestServer) -> String {
    let api = TestClient::new(&server.url());
    let pair = api.register_and_login("other").await;
    for record in [FORGED, FORGED_LINE] {
        for line_break in ["\n", "\r", "\r\n", "\u{85}", "\u{2028}", "\u{b}", "\u{1b}[2K\u{1b}[1A", "\""] {
            let text = format!("x{line_break}{record}{line_break}");
            send_in_bodies(&api, &pair.access, &text).await;
            send_in_heads(&server, &text).await;
            let output = server.run(["users", "deactivate", &text]);
            let errors = String::from_utf8_lossy(&output.stderr);
            let last = errors.lines().last().unwrap_or_default();
            assert!(last.starts_with("error: "), "{errors}");
            assert!(!errors.lines().any(|line| line.starts_with(record)), "{errors}");
        }
    }
    assert_eq!(api.get("/healthz").await.status, 200);
    server.terminate();
    tokio::task::block_in_place(|| server.wait());
    server.log()
}

async fn send_in_bodies(api: &TestClient, bearer: &str, text: &str) {
    let registration = json!({
        "username": text, "email": format!("{text}@example.com"), "first_name": text,
        "password": PASSWORD, "password2": PASSWORD,
    });
    api.post("/api/register/", None, registration).await;
    api.post("/api/token/", None, json!({"username": text, "password": text})).await;
    api.post("/api/token/", None, json!({"email": text, "password": text})).await;
    api.post("/api/token/refresh/", None, json!({"refresh": format!("a.{text}.c")})).await;
    api.post("/api/token/verify/", None, json!({"token": text})).await;
    api.post("/api/logout/", Some(bearer), json!({"refresh": text, text: text})).await;
    api.post("/api/token/second-factor/", None, json!({"challenge": text, "code": text})).await;
    for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
        api.post(path, None, json!({"email": format!("{text}@example.com")})).await;
    }
    api.post("/api/password-reset/confirm/", None, json!({"token": text, "new_password": text})).await;
    api.post("/api/email/verify/", None, json!({"token": text})).await;
    let own = json!({
        "old_password": text, "new_password": text, "method": text, "password": text, "challenge": text, "code": text,
    });
    for path in ["password/", "second-factors/", "second-factors/confirm/", "second-factors/recovery-codes/"] {
        api.post(&format!("/api/users/me/{path}"), Some(bearer), own.clone()).await;
    }
}

/// Sends raw requests, which a client library would refuse to send, and ignores the answers.
async fn send_in_heads(server: &TestServer, text: &str) {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let forged = format!("/{encoded}/forged");
    for (target, header) in [
        (forged.as_str(), "X-Nothing: 1".to_owned()),
        ("/forged/\"}\\u000a{\"forged\":true}", "X-Nothing: 1".to_owned()),
        (&format!("/forged/{text}"), "X-Nothing: 1".to_owned()),
        (&format!("/api/token/?{text}"), "X-Nothing: 1".to_owned()),
        ("/api/token/", format!("User-Agent: {text}")),
        // A valid request ID is used as it is.
        ("/api/token/", "X-Request-Id: forged".to_owned()),
        ("/api/token/", format!("X-Request-Id: forged{text}")),
        ("/api/token/", format!("X-Request-Id: forged\"}}{encoded}")),
        ("/api/token/", format!("X-Forwarded-For: 6.6.6.6{text}\r\nForwarded: for=6.6.6.6\r\nX-Real-Ip: 6.6.6.6")),
        ("/api/token/", format!("Content-Type: application/{text}")),
        ("/api/users/me/", format!("Authorization: Bearer {text}")),
    ] {
        let body = json!({"username": "other", "password": text}).to_string();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
        // The server may refuse the request and close the connection early.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}
