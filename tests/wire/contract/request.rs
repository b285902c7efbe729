//! Requests as the recording writes them: `[Header: value[; Header: value]] [body]`, where the body is JSON, `form {…}`,
//! `multipart {…}` or, after a `Content-Type`, a Python bytes literal (`'{"a": "\xff"}'`).

use reqwest::blocking::RequestBuilder;
use reqwest::blocking::multipart::Form;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value};

/// Stands for a token in requests and answers.
pub(crate) const PLACEHOLDER: &str = "<jwt>";

/// The headers and body of a request.
pub(crate) struct Request {
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
}

/// The body of a request.
pub(crate) enum Body {
    Empty,
    Json(String),
    Bytes(Vec<u8>),
    Form(Map<String, Value>),
    Multipart(Map<String, Value>),
}

impl Request {
    /// Parses the request of a row; `<jwt>` becomes `bearer` in headers and `token` in the body.
    pub(crate) fn parse(text: &str, bearer: &str, token: &str) -> Result<Self, String> {
        let (headers, body) = split(text);
        let has_content_type = headers.iter().any(|(name, _)| *name == "Content-Type");
        let body = body.replace(PLACEHOLDER, token);
        let fields = |json: &str| serde_json::from_str(json).map_err(|error| format!("fields {json}: {error}"));
        Ok(Self {
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), header_value(value, bearer))).collect(),
            body: match body.as_str() {
                "" => Body::Empty,
                quoted if has_content_type => Body::Bytes(unescape(&quoted[1..quoted.len() - 1])),
                other => match (other.strip_prefix("form "), other.strip_prefix("multipart ")) {
                    (Some(json), _) => Body::Form(fields(json)?),
                    (None, Some(json)) => Body::Multipart(fields(json)?),
                    (None, None) => Body::Json(body),
                },
            },
        })
    }

    /// Adds headers and body to a request.
    pub(crate) fn apply(&self, mut request: RequestBuilder) -> RequestBuilder {
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        match &self.body {
            Body::Empty => request,
            Body::Json(text) => request.header(CONTENT_TYPE, "application/json").body(text.clone()),
            Body::Bytes(bytes) => request.body(bytes.clone()),
            Body::Form(fields) => request.form(fields),
            Body::Multipart(fields) => {
                let texts = fields.iter().map(|(name, value)| (name.clone(), text(value)));
                request.multipart(texts.fold(Form::new(), |form, (name, text)| form.text(name, text)))
            }
        }
    }

    /// Returns a field of the body as the service reads it: trimmed, and numbers as strings.
    pub(crate) fn field(&self, name: &str) -> String {
        let value = match &self.body {
            Body::Json(json) => serde_json::from_str::<Value>(json).unwrap_or_default()[name].clone(),
            Body::Form(fields) | Body::Multipart(fields) => fields.get(name).cloned().unwrap_or_default(),
            Body::Empty | Body::Bytes(_) => Value::Null,
        };
        text(&value).trim().to_owned()
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns whether the headers and the body contain a placeholder.
pub(crate) fn placeholders(text: &str) -> (bool, bool) {
    let (headers, body) = split(text);
    (headers.iter().any(|(_, value)| value.contains(PLACEHOLDER)), body.contains(PLACEHOLDER))
}

fn split(mut text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut headers = Vec::new();
    while let Some((name, rest)) = header_name(text) {
        let next = rest.match_indices("; ").find(|(at, _)| header_name(&rest[at + 2..]).is_some());
        let bodies = [" {", " []", " '", " \"{", " form {", " multipart {"];
        let body = bodies.iter().filter_map(|beginning| rest.find(beginning)).min();
        let (value, remainder) = match (next, body) {
            (Some((at, _)), _) => (&rest[..at], &rest[at + 2..]),
            (None, Some(at)) => (&rest[..at], &rest[at + 1..]),
            (None, None) => (rest, ""),
        };
        headers.push((name, value));
        text = remainder;
    }
    (headers, text)
}

fn header_name(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(": ")?;
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_name.then_some((name, rest))
}

fn header_value(text: &str, bearer: &str) -> Vec<u8> {
    unescape(&text.replace(PLACEHOLDER, bearer))
}

/// Decodes a Python bytes literal: `\xff`, and a backslash before a quote or itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'x', hex @ ..]) if hex.len() >= 2 => {
                let hex = std::str::from_utf8(&hex[..2]).unwrap_or_default();
                bytes.extend(u8::from_str_radix(hex, 16));
                &tail[3..]
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    bytes
}
