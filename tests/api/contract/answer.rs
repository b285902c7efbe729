//! Answers: what is expected of one, and how it differs.

use std::collections::BTreeSet;
use std::fmt;

use reqwest::blocking::Response;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::product::Answer as OwnAnswer;
use crate::recording::Row;
use crate::request::{PLACEHOLDER, Request};

/// Sent with every answer (section 1 of the contract).
const SECURITY_HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];
const PARSE_ERROR: &str = "JSON parse error - ";
/// Errors of a logout that are the peer's program text: only the status and the key are contract (section 4).
const PYTHON_ERRORS: [&str; 2] = ["'refresh'", "list indices must be integers or slices, not str"];

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null if it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn read(response: Response) -> Result<Self, String> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().map_err(|error| format!("no whole answer: {error:?}"))?;
        Ok(Self { status, headers, text: String::new(), body: Value::Null }.with_text(text))
    }

    /// The same with another body.
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

/// What an answer has to be.
pub(crate) struct Expected {
    status: u16,
    allow: Option<String>,
    challenge: Option<String>,
    location: Option<String>,
    is_json: bool,
    body: Body,
}

enum Body {
    /// Not the same as in the recording, because another endpoint stands in.
    Any,
    Empty,
    /// To the letter: the body is indented.
    Text(String),
    Json(Value),
    /// An object with one text, of which only the beginning is contract.
    Beginning {
        key: &'static str,
        beginning: &'static str,
    },
    /// What `OPTIONS` says.
    About(Value),
}

impl Expected {
    /// What was recorded; or, for a registration, the account that `request` asks for.
    pub(crate) fn recorded(row: &Row, request: &Request, stands_in: bool) -> Self {
        let header = |name: &str| row.headers.get(name).cloned();
        Self {
            status: row.status,
            allow: header("allow"),
            challenge: header("www-authenticate"),
            location: header("location"),
            is_json: header("content-type").is_some_and(|value| value == "application/json") || row.status == 201,
            body: match row.status {
                200 if stands_in => Body::Any,
                201 => Body::registered(request),
                _ => Body::recorded(row),
            },
        }
    }

    /// The service's own way.
    pub(crate) fn own(answer: &OwnAnswer) -> Self {
        let (status, body) = answer.status_and_body();
        let challenge = (status == 401).then(|| r#"Bearer realm="api""#.to_owned());
        let body = Body::of_logout(&body).unwrap_or(Body::Json(body));
        Self { status, allow: None, challenge, location: None, is_json: true, body }
    }

    /// With another `Allow` header.
    pub(crate) fn allowing(self, methods: Option<String>) -> Self {
        Self { allow: methods, ..self }
    }

    /// With another path in the `Location` header.
    pub(crate) fn moved(self, stand_in: impl Fn(&str) -> String) -> Self {
        Self { location: self.location.as_deref().map(stand_in), ..self }
    }

    /// Says how an answer differs.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        let is_moved = self.status == 301 && answer.status == 308;
        ensure(answer.status == self.status || is_moved, || format!("status {}, not {}", answer.status, self.status))?;
        self.check_headers(answer)?;
        self.body.check(answer)
    }

    fn check_headers(&self, answer: &Answer) -> Result<(), String> {
        for (name, value) in SECURITY_HEADERS {
            ensure(answer.header(name) == Some(value), || format!("{name} is {:?}", answer.header(name)))?;
        }
        let cross_origin = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
        ensure(cross_origin.is_none(), || format!("there is a header {cross_origin:?}"))?;
        for (name, expected) in [("www-authenticate", &self.challenge), ("location", &self.location)] {
            let values: Vec<_> = answer.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let is_expected = values.iter().copied().eq(expected.iter().map(String::as_bytes));
            ensure(is_expected, || format!("{name} is not {expected:?}"))?;
        }
        if let Some(methods) = &self.allow {
            let allowed = answer.header("allow").unwrap_or_default();
            ensure(set(allowed) == set(methods), || format!("allow is {allowed:?}, not {methods:?}"))?;
        }
        let is_called_json = answer.header("content-type") == Some("application/json");
        ensure(is_called_json || !self.is_json, || "content-type is not application/json".to_owned())?;
        let has_tokens = answer.body.as_object().is_some_and(|body| body.values().any(|value| value == PLACEHOLDER));
        let is_stored_nowhere = answer.header("cache-control") == Some("no-store");
        ensure(is_stored_nowhere || !has_tokens, || "tokens without Cache-Control: no-store".to_owned())
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
        let Ok(body) = serde_json::from_str::<Value>(&row.body) else { return Self::Empty };
        if row.method == "OPTIONS" && row.status == 200 {
            return Self::About(body);
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
            Self::Any => Ok(()),
            Self::Empty => ensure(answer.text.is_empty(), || "the body is not empty".to_owned()),
            Self::Text(text) => ensure(answer.text == *text, || format!("the body is not\n{text}")),
            Self::Json(expected) => {
                let (actual, expected) = (timeless(&answer.body), timeless(expected));
                ensure(actual == expected, || format!("the body is {actual}\n  expected    {expected}"))?;
                // Another order of keys has the same length.
                let is_compact = answer.text.len() == answer.body.to_string().len();
                ensure(is_compact, || "the body has blanks that mean nothing".to_owned())
            }
            Self::Beginning { key, beginning } => {
                let text = answer.body[key].as_str().filter(|text| text.starts_with(beginning));
                let is_alone = answer.body.as_object().is_some_and(|body| body.len() == 1);
                ensure(text.is_some() && is_alone, || format!("the body is not {{\"{key}\":\"{beginning}…\"}}"))
            }
            Self::About(expected) => {
                for key in ["renders", "parses"] {
                    ensure(answer.body[key] == expected[key], || format!("{key} is {}", answer.body[key]))?;
                }
                let is_named = answer.body["name"].is_string() && answer.body["description"].is_string();
                ensure(is_named, || "name or description is missing".to_owned())
            }
        }
    }
}

/// The same without ids and times, if they are well formed.
fn timeless(body: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        match (name.as_str(), &*value) {
            ("id", Value::Number(number)) if number.is_u64() => *value = "<id>".into(),
            ("date_joined" | "last_login", Value::String(text)) if is_time(text) => *value = "<time>".into(),
            _ => {}
        }
    }
    body
}

/// `2026-11-22T06:25:49.508725Z`
fn is_time(text: &str) -> bool {
    let shape = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    shape.eq("0000-00-00T00:00:00.000000Z".chars())
}

/// Says what is wrong, unless it holds.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}
