//! What every answer must be, and the findings of a table of requests.

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

/// Words that reveal internals: a refusal has none of them (SEC-202).
const INSIDES: [&str; 8] = ["panick", "diesel", "sqlite", "postgres", "constraint", "src/", ".rs:", "argon2"];

/// What is wrong with an answer, whatever was asked: a 5xx (SEC-200), a body that is not valid JSON (SEC-201), a refusal that
/// reveals internals (SEC-202), a 401 without a challenge (SEC-001), a header that is missing (SEC-093, SEC-094).
pub fn objection(answer: &Answer) -> Option<String> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if answer.status.is_server_error() {
        return Some("a request caused it".to_owned());
    }
    if !answer.text.is_empty() {
        if header("content-type") != Some("application/json") {
            return Some(format!("the type of the body is {:?}", header("content-type")));
        }
        if serde_json::from_str::<serde_json::Value>(&answer.text).is_err() {
            return Some("the body is not valid JSON".to_owned());
        }
    }
    if answer.status.is_client_error() {
        let text = answer.text.to_lowercase();
        if let Some(word) = INSIDES.iter().find(|word| text.contains(*word)) {
            return Some(format!("the body reveals internals: {word}"));
        }
    }
    let challenge = header("www-authenticate");
    if (answer.status == 401) != (challenge == Some(r#"Bearer realm="api""#)) {
        return Some(format!("the challenge is {challenge:?}"));
    }
    if header("server").is_some() {
        return Some("there is a banner".to_owned());
    }
    let missing = SECURITY_HEADERS.iter().find(|(name, value)| header(name) != Some(*value));
    missing.map(|(name, _)| format!("{name} is {:?}", header(name)))
}

/// Panics unless the answer passes [`objection`] and has this status.
#[track_caller]
pub fn assert_status(answer: &Answer, status: u16) {
    let mut findings = Findings::default();
    findings.check("answer", answer, &[status]);
    findings.close();
}

/// Panics unless the answer is a decent one with this status and body.
#[track_caller]
pub fn assert_answer(answer: &Answer, status: u16, body: &serde_json::Value) {
    assert_status(answer, status);
    assert_eq!(&answer.json(), body);
}

/// What is wrong with the rows of a table, all of it told at once.
#[derive(Debug, Default)]
pub struct Findings {
    rows: usize,
    wrong: Vec<String>,
}

impl Findings {
    /// Looks at one answer: a decent one, with one of these statuses.
    pub fn check(&mut self, row: impl Display, answer: &Answer, statuses: &[u16]) {
        let status = answer.status.as_u16();
        let objection = objection(answer)
            .or_else(|| (!statuses.contains(&status)).then(|| format!("it should have been {statuses:?}")));
        self.note(objection.is_none(), || {
            format!("{row}: {status} {}: {}", cut(&answer.text), objection.unwrap_or_default())
        });
    }

    /// Looks at anything else.
    pub fn note(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        self.rows += 1;
        if !is_right {
            self.wrong.push(what());
        }
    }

    /// Tells what is wrong. A table without rows is wrong too.
    #[track_caller]
    pub fn close(self) {
        assert!(self.rows > 0, "nothing was looked at");
        let (wrong, rows) = (self.wrong.len(), self.rows);
        assert!(wrong == 0, "{wrong} of {rows} are wrong:\n  {}", self.wrong.join("\n  "));
    }
}

/// A text short enough for a message.
pub fn cut(text: &str) -> String {
    if text.chars().count() <= 300 { text.to_owned() } else { text.chars().take(300).chain(['…']).collect() }
}

/// Panics unless it is a 429 that says when to try again; in how many seconds.
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

/// Panics unless it is a 503 that says when to try again. `what` names the request.
#[track_caller]
pub fn assert_unavailable(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    let is_some_time = answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0);
    assert!(is_some_time, "{what}: {:?}", answer.headers);
    assert!(answer.header("content-type").starts_with("application/json"), "{what}: {:?}", answer.headers);
    assert_eq!(answer.field("code"), "temporarily_unavailable", "{what}");
}
