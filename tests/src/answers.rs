//! Assertions on answers.

use std::fmt::Display;

use serde_json::json;

use crate::Answer;

/// Sent with every answer (SEC-093, SEC-094).
pub const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Substrings that reveal internals; no refusal contains them (SEC-202).
const INTERNALS: [&str; 8] = ["panick", "diesel", "sqlite", "postgres", "constraint", "src/", ".rs:", "argon2"];

/// Returns what is wrong with an answer to any request: a 5xx (SEC-200), a body that is not valid JSON (SEC-201), a refusal
/// that reveals internals (SEC-202), a 401 without a challenge (SEC-001), a missing header (SEC-093, SEC-094).
pub fn problem_with(answer: &Answer) -> Option<String> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if answer.status.is_server_error() {
        return Some("a server error".to_owned());
    }
    if !answer.text.is_empty() {
        if header("content-type") != Some("application/json") {
            return Some(format!("the content type is {:?}", header("content-type")));
        }
        if serde_json::from_str::<serde_json::Value>(&answer.text).is_err() {
            return Some("the body is not valid JSON".to_owned());
        }
    }
    if answer.status.is_client_error() {
        let text = answer.text.to_lowercase();
        if let Some(word) = INTERNALS.iter().find(|word| text.contains(*word)) {
            return Some(format!("the body reveals internals: {word}"));
        }
    }
    let challenge = header("www-authenticate");
    if (answer.status == 401) != (challenge == Some(r#"Bearer realm="api""#)) {
        return Some(format!("WWW-Authenticate is {challenge:?}"));
    }
    if header("server").is_some() {
        return Some("a Server header".to_owned());
    }
    let missing = SECURITY_HEADERS.iter().find(|(name, value)| header(name) != Some(*value));
    missing.map(|(name, _)| format!("{name} is {:?}", header(name)))
}

/// Panics unless [`problem_with`] accepts the answer and it has this status.
#[track_caller]
pub fn assert_status(answer: &Answer, status: u16) {
    let mut findings = Findings::default();
    findings.check("answer", answer, &[status]);
    findings.assert_none();
}

/// Like [`assert_status`], and panics unless the answer has this body.
#[track_caller]
pub fn assert_answer(answer: &Answer, status: u16, body: &serde_json::Value) {
    assert_status(answer, status);
    assert_eq!(&answer.json(), body);
}

/// Collects the failures of a table of cases, to report all of them together.
#[derive(Debug, Default)]
pub struct Findings {
    rows: usize,
    failures: Vec<String>,
}

impl Findings {
    /// Checks one answer: no [`problem_with`] it, and one of these statuses.
    pub fn check(&mut self, row: impl Display, answer: &Answer, statuses: &[u16]) {
        let status = answer.status.as_u16();
        let problem =
            problem_with(answer).or_else(|| (!statuses.contains(&status)).then(|| format!("expected {statuses:?}")));
        self.check_that(problem.is_none(), || {
            format!("{row}: {status} {}: {}", truncate(&answer.text), problem.unwrap_or_default())
        });
    }

    /// Checks any other condition; `message` describes its failure.
    pub fn check_that(&mut self, condition: bool, message: impl FnOnce() -> String) {
        self.rows += 1;
        if !condition {
            self.failures.push(message());
        }
    }

    /// Panics if a check failed, or if there was none.
    #[track_caller]
    pub fn assert_none(self) {
        assert!(self.rows > 0, "no checks ran");
        let (failed, rows) = (self.failures.len(), self.rows);
        assert!(failed == 0, "{failed} of {rows} checks failed:\n  {}", self.failures.join("\n  "));
    }
}

/// Truncates a string for a message.
pub fn truncate(text: &str) -> String {
    if text.chars().count() <= 300 { text.to_owned() } else { text.chars().take(300).chain(['…']).collect() }
}

/// Panics unless the answer is a 429 with `Retry-After`; returns that number of seconds.
#[track_caller]
pub fn assert_throttled(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text);
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!(seconds > 0, "{:?}", answer.headers);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
    assert_eq!(answer.json(), json!({"detail": detail}));
    seconds
}

/// Panics unless the answer is a 503 with `Retry-After`. `what` describes the request.
#[track_caller]
pub fn assert_unavailable(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    let has_retry_after = answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0);
    assert!(has_retry_after, "{what}: {:?}", answer.headers);
    assert!(answer.header("content-type").starts_with("application/json"), "{what}: {:?}", answer.headers);
    assert_eq!(answer.field("code"), "temporarily_unavailable", "{what}");
}
