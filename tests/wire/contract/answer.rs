//! Answers: expectations, and how an answer differs from them.

use std::collections::BTreeSet;
use std::fmt;

use reqwest::blocking::Response;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::contract::own_answers::Answer as OwnAnswer;
use crate::contract::posts::POST_ID;
use crate::contract::recording::Row;
use crate::contract::request::{PLACEHOLDER, Request};

/// Sent with every answer (docs/wire-contract.md, section 1).
const SECURITY_HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
const PARSE_ERROR: &str = "JSON parse error - ";
/// Errors of logout that are Python messages of the reference implementation; only the status and the key are contract
/// (section 4).
const PYTHON_ERRORS: [&str; 2] = ["'refresh'", "list indices must be integers or slices, not str"];

/// How many seconds a few logins may take on a busy machine.
const TOLERANCE: u32 = 30;

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `null` if it is not valid JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn read(response: Response) -> Result<Self, String> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().map_err(|error| format!("incomplete answer: {error:?}"))?;
        Ok(Self { status, headers, text: String::new(), body: Value::Null }.with_text(text))
    }

    /// Replaces the body.
    pub(crate) fn with_text(self, text: String) -> Self {
        Self { body: serde_json::from_str(&text).unwrap_or_default(), text, ..self }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, "\n    {name}: {value:?}"))
    }
}

/// What an answer must be.
pub(crate) struct Expected {
    status: u16,
    allow: Option<String>,
    challenge: Option<String>,
    location: Option<String>,
    /// In seconds.
    retry_after: Option<u32>,
    is_json: bool,
    body: Body,
}

enum Body {
    Empty,
    /// Compared as a string, because the body is indented.
    Text(String),
    Json(Value),
    /// An object with one string, of which only the beginning is contract.
    Beginning {
        key: &'static str,
        beginning: &'static str,
    },
    /// The body of `OPTIONS`.
    Metadata(Value),
    /// A list whose first element is this post.
    List(Value),
}

impl Expected {
    /// The recorded answer; for a registration, the account that `request` asks for.
    pub(crate) fn recorded(row: &Row, request: &Request) -> Self {
        let header = |name: &str| row.headers.get(name).cloned();
        Self {
            status: row.status,
            allow: header("allow"),
            challenge: header("www-authenticate"),
            location: header("location"),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()),
            is_json: header("content-type").is_some_and(|value| value == "application/json") || row.status == 201,
            body: match row.status {
                201 if row.area == "register" => Body::registered(request),
                _ => Body::recorded(row),
            },
        }
    }

    /// The service's own answer, where it differs on purpose.
    pub(crate) fn own(answer: &OwnAnswer) -> Self {
        let (status, text) = answer.status_and_text().unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or_default();
        let challenge = (status == 401).then(|| r#"Bearer realm="api""#.to_owned());
        let body = Body::of_logout(&body).unwrap_or(Body::Json(body));
        Self { status, allow: None, challenge, location: None, retry_after: None, is_json: true, body }
    }

    /// Replaces the expected `Allow` header.
    pub(crate) fn allowing(self, methods: Option<String>) -> Self {
        Self { allow: methods, ..self }
    }

    /// Returns how an answer differs.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        let is_moved = self.status == 301 && answer.status == 308;
        ensure(answer.status == self.status || is_moved, || format!("status {}, not {}", answer.status, self.status))?;
        self.check_headers(answer)?;
        self.body.check(&self.without_delay(answer)?)
    }

    /// Replaces a slightly shorter `Retry-After` by the recorded one, as if the requests had taken no time.
    fn without_delay(&self, answer: &Answer) -> Result<Answer, String> {
        let Some(recorded) = self.retry_after else { return Ok(answer.clone()) };
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let seconds: u32 = seconds.ok_or("no Retry-After")?;
        let is_soon = (recorded.saturating_sub(TOLERANCE)..=recorded).contains(&seconds);
        ensure(is_soon, || format!("Retry-After is {seconds}, not {recorded}"))?;
        let text = answer.text.replace(&format!("in {seconds} seconds"), &format!("in {recorded} seconds"));
        Ok(answer.clone().with_text(text))
    }

    fn check_headers(&self, answer: &Answer) -> Result<(), String> {
        for (name, value) in SECURITY_HEADERS {
            ensure(answer.header(name) == Some(value), || format!("{name} is {:?}", answer.header(name)))?;
        }
        let cross_origin = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
        ensure(cross_origin.is_none(), || format!("unexpected header {cross_origin:?}"))?;
        for (name, expected) in [("www-authenticate", &self.challenge), ("location", &self.location)] {
            let values: Vec<_> = answer.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let is_expected = values.iter().copied().eq(expected.iter().map(String::as_bytes));
            ensure(is_expected, || format!("{name} is not {expected:?}"))?;
        }
        if let Some(methods) = &self.allow {
            let allowed = answer.header("allow").unwrap_or_default();
            ensure(set(allowed) == set(methods), || format!("allow is {allowed:?}, not {methods:?}"))?;
        }
        let is_json = answer.header("content-type") == Some("application/json");
        ensure(is_json || !self.is_json, || "content-type is not application/json".to_owned())?;
        let has_tokens = answer.body.as_object().is_some_and(|body| body.values().any(|value| value == PLACEHOLDER));
        let forbids_storing = answer.header("cache-control") == Some("no-store");
        ensure(forbids_storing || !has_tokens, || "tokens without Cache-Control: no-store".to_owned())
    }
}

fn set(methods: &str) -> BTreeSet<&str> {
    methods.split(',').map(str::trim).collect()
}

impl Body {
    fn registered(request: &Request) -> Self {
        let [username, email, first_name] = ["username", "email", "first_name"].map(|name| request.field(name));
        Self::Json(json!({"id": 1, "username": username, "email": email, "first_name": first_name}))
    }

    fn recorded(row: &Row) -> Self {
        let text = row.body.replace(POST_ID, &json!(POST_ID).to_string());
        // The recording truncates long lists.
        if let Some((post, _)) = text.strip_prefix('[').and_then(|list| list.split_once("},")) {
            return Self::List(serde_json::from_str(&format!("{post}}}")).unwrap_or_default());
        }
        let Ok(body) = serde_json::from_str::<Value>(&text) else { return Self::Empty };
        if row.method == "OPTIONS" && row.status == 200 {
            return Self::Metadata(body);
        }
        if body["detail"].as_str().is_some_and(|detail| detail.starts_with(PARSE_ERROR)) {
            return Self::Beginning { key: "detail", beginning: PARSE_ERROR };
        }
        match Self::of_logout(&body) {
            Some(body) => body,
            None if row.body.contains('\n') => Self::Text(row.body.clone()),
            None => Self::Json(body),
        }
    }

    fn of_logout(body: &Value) -> Option<Self> {
        let is_python = body["error"].as_str().is_some_and(|error| PYTHON_ERRORS.contains(&error));
        is_python.then_some(Self::Beginning { key: "error", beginning: "" })
    }

    fn check(&self, answer: &Answer) -> Result<(), String> {
        match self {
            Self::Empty => ensure(answer.text.is_empty(), || "the body is not empty".to_owned()),
            Self::Text(text) => ensure(answer.text == *text, || format!("the body is not\n{text}")),
            Self::Json(expected) => {
                let (actual, expected) = (timeless(&answer.body), timeless(expected));
                ensure(actual == expected, || format!("the body is {actual}\n  expected    {expected}"))?;
                // The lengths agree even if the keys are in another order.
                let is_compact = answer.text.len() == answer.body.to_string().len();
                ensure(is_compact, || "the body has insignificant whitespace".to_owned())
            }
            Self::Beginning { key, beginning } => {
                let text = answer.body[key].as_str().filter(|text| text.starts_with(beginning));
                let is_alone = answer.body.as_object().is_some_and(|body| body.len() == 1);
                ensure(text.is_some() && is_alone, || format!("the body is not {{\"{key}\":\"{beginning}…\"}}"))
            }
            Self::List(expected) => {
                let (actual, expected) = (timeless(&answer.body[0]), timeless(expected));
                ensure(actual == expected, || format!("the first post is {actual}\n  expected          {expected}"))
            }
            Self::Metadata(expected) => {
                for key in ["name", "renders", "parses"] {
                    ensure(answer.body[key] == expected[key], || format!("{key} is {}", answer.body[key]))?;
                }
                ensure(answer.body["description"].is_string(), || "the description is missing".to_owned())
            }
        }
    }
}

/// Replaces well-formed IDs and times by placeholders.
fn timeless(body: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        match (name.as_str(), &*value) {
            ("id", Value::Number(number)) if number.is_u64() => *value = POST_ID.into(),
            ("date_joined" | "last_login" | "created_at", Value::String(text)) if is_time(text) => {
                *value = "<time>".into()
            }
            _ => {}
        }
    }
    body
}

/// `2026-11-22T06:25:49.508725Z`
pub(crate) fn is_time(text: &str) -> bool {
    let shape = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    shape.eq("0000-00-00T00:00:00.000000Z".chars())
}

/// Returns the message as an error unless `holds`.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}
