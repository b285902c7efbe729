//! Content negotiation (RFC 9110 §12.5.1). The only media type is JSON, indented by `indent=N`.

use actix_web::http::header::{self, HeaderMap};
use mime::Mime;

use crate::media_type::parse_media_type;

/// Most spaces for each level of indentation.
const MAX_INDENT: usize = 8;

/// How JSON is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Without whitespace.
    Compact,
    /// With this many spaces for each level.
    Indented(usize),
}

/// Returns the format that the client accepts, or `None` if it does not accept JSON. Without `Accept`, it accepts
/// everything.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Format> {
    let accepted: Vec<_> = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    if accepted.iter().all(|value| value.trim().is_empty()) {
        return Some(Format::Compact);
    }
    // Of several acceptable ranges, the one with the deepest indentation counts; quality values other than 0 make no difference.
    let ranges = accepted.iter().flat_map(|value| value.split(','));
    ranges.filter_map(parse_media_type).filter(accepts_json).map(|range| format(&range)).max_by_key(|format| {
        match format {
            Format::Compact => 0,
            Format::Indented(depth) => *depth,
        }
    })
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

/// Reformats JSON with an indentation; returns `None` if it is not valid JSON.
pub(super) fn indent(json: &[u8], depth: usize) -> Option<Vec<u8>> {
    let spaces = vec![b' '; depth];
    let mut indented = Vec::with_capacity(json.len() * 2);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
    let mut serializer = serde_json::Serializer::with_formatter(&mut indented, formatter);
    // Transcoding, unlike parsing into a map, keeps the order of the keys.
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_transcode::transcode(&mut deserializer, &mut serializer).ok()?;
    Some(indented)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_json_is_acceptable() {
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
            (Some("*/* ;q=0.8"), Some(Format::Compact)),
            (Some("application/json ; indent=4"), Some(Format::Indented(4))),
            (Some("application/json ; q=0"), None),
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
    fn indentation_keeps_the_order_of_keys() {
        let indented = indent(br#"{"b":[1],"a":{}}"#, 2).unwrap();
        assert_eq!(String::from_utf8(indented).unwrap(), "{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}");
        assert_eq!(indent(b"<html>", 2), None);
    }
}
