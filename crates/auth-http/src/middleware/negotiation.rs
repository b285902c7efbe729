//! Which answer a client accepts (RFC 9110 §12.5.1): JSON, or none. With `indent=N` it is indented.

use actix_web::http::header::{self, HeaderMap};
use mime::Mime;

/// Deepest indentation, in blanks.
const MAX_INDENT: usize = 8;

/// How JSON is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Without blanks.
    Compact,
    /// With so many blanks for each level.
    Indented(usize),
}

/// The format that a client accepts; `None` if it accepts no JSON. No `Accept` header accepts everything.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Format> {
    let accepted: Vec<_> = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    if accepted.iter().all(|value| value.trim().is_empty()) {
        return Some(Format::Compact);
    }
    let ranges = accepted.iter().flat_map(|value| value.split(','));
    ranges.filter_map(|range| range.trim().parse().ok()).filter(accepts_json).map(|range| format(&range)).max_by_key(
        |format| match format {
            Format::Compact => 0,
            Format::Indented(depth) => *depth,
        },
    )
}

fn accepts_json(range: &Mime) -> bool {
    let refused = range.get_param("q").is_some_and(|q| q.as_str().parse::<f32>().is_ok_and(|q| q == 0.0));
    let matches =
        matches!((range.type_().as_str(), range.subtype().as_str()), ("*", "*") | ("application", "*" | "json"));
    matches && !refused
}

fn format(range: &Mime) -> Format {
    let indent = range.get_param("indent").and_then(|depth| depth.as_str().parse::<usize>().ok());
    match indent.map(|depth| depth.min(MAX_INDENT)) {
        None | Some(0) => Format::Compact,
        Some(depth) => Format::Indented(depth),
    }
}

/// Writes JSON anew with an indentation; `None` if it is no JSON.
pub(super) fn indent(json: &[u8], depth: usize) -> Option<Vec<u8>> {
    let blanks = vec![b' '; depth];
    let mut indented = Vec::with_capacity(json.len() * 2);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&blanks);
    let mut serializer = serde_json::Serializer::with_formatter(&mut indented, formatter);
    // Straight from text to text: the order of the keys stays.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_transcode::transcode(&mut deserializer, &mut serializer).ok()?;
    Some(indented)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn json_is_what_there_is() {
        for (accept, expected) in [
            (None, Some(Format::Compact)),
            (Some(""), Some(Format::Compact)),
            (Some("*/*"), Some(Format::Compact)),
            (Some("application/*"), Some(Format::Compact)),
            (Some("application/json"), Some(Format::Compact)),
            (Some("application/json; indent=4"), Some(Format::Indented(4))),
            (Some("application/json; indent=400"), Some(Format::Indented(8))),
            (Some("application/json; indent=x"), Some(Format::Compact)),
            (Some("text/html, */*;q=0.1"), Some(Format::Compact)),
            (Some("text/html"), None),
            (Some("application/xml"), None),
            (Some("application/json;q=0"), None),
            (Some("application/jsonx"), None),
            (Some("garbage"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(negotiate(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn indentation_keeps_the_order() {
        let indented = indent(br#"{"b":[1],"a":{}}"#, 2).unwrap();
        assert_eq!(String::from_utf8(indented).unwrap(), "{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}");
        assert_eq!(indent(b"<html>", 2), None);
    }
}
