//! JSON bodies.
//!
//! Values are first read as raw JSON, so a malformed, deep or wide body costs one scan without recursion, and an unpaired
//! surrogate is found in the field that contains it.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{Field, Fields};

/// The top-level value of a JSON document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Document {
    /// An object.
    Object(Fields),
    /// `null`.
    Null,
    /// Any other value, by the name of its Python type.
    Other(&'static str),
}

/// Parses a document (RFC 8259). The error is the message of the parser.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let document: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // The document is valid JSON, so the first byte determines its type.
    let raw = document.get();
    Ok(match raw.as_bytes().first() {
        Some(b'{') => {
            let members: HashMap<String, &RawValue> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
            Document::Object(members.into_iter().map(|(name, value)| (name, field(value.get()))).collect())
        }
        Some(b'[') => Document::Other("list"),
        Some(b'"') => Document::Other("str"),
        Some(b't' | b'f') => Document::Other("bool"),
        Some(b'n') => Document::Null,
        _ if is_integer(raw) => Document::Other("int"),
        _ => Document::Other("float"),
    })
}

fn field(raw: &str) -> Field {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map_or_else(|_| lone_surrogate(raw), Field::Text),
        Some(b't') => Field::Bool(true),
        Some(b'f') => Field::Bool(false),
        Some(b'n') => Field::Null,
        Some(b'{' | b'[') => Field::Composite,
        _ => Field::Number(number(raw)),
    }
}

fn is_integer(raw: &str) -> bool {
    !raw.contains(['.', 'e', 'E'])
}

/// Formats a number as Python's `str` does: integers unchanged, others with a decimal point or an exponent.
fn number(raw: &str) -> String {
    match raw.parse::<f64>() {
        Ok(value) if !is_integer(raw) => python_float(value),
        _ => raw.to_owned(),
    }
}

/// Formats a number as Python's `repr` does: the shortest digits that read back as the same number, with an exponent of at
/// least two digits and its sign below 1e-4 and from 1e16 on.
fn python_float(value: f64) -> String {
    let scientific = format!("{value:e}");
    match scientific.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?))) {
        Some((digits, exponent)) if value != 0.0 && !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value:?}"),
    }
}

/// Finds the unpaired surrogate in a string that is valid JSON but that the parser refuses: an escaped surrogate is the only
/// thing that RFC 8259 §8.2 allows and Unicode does not.
fn lone_surrogate(raw: &str) -> Field {
    let mut units = Vec::new();
    let mut rest = raw;
    while let Some((between, escape)) = rest.split_once('\\') {
        if !between.is_empty() {
            units.push(0); // Anything between two surrogates separates them.
        }
        match escape.strip_prefix('u').and_then(|hex| hex.get(..4)) {
            Some(hex) => {
                units.push(u16::from_str_radix(hex, 16).unwrap_or(0));
                rest = &escape[5..];
            }
            None => {
                units.push(0);
                rest = escape.get(1..).unwrap_or_default();
            }
        }
    }
    let lone = char::decode_utf16(units).find_map(Result::err).map(|error| error.unpaired_surrogate());
    lone.map_or(Field::Composite, Field::LoneSurrogate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_field(json: &str) -> Field {
        match parse(format!(r#"{{"a": {json}}}"#).as_bytes()) {
            Ok(Document::Object(mut fields)) => fields.remove("a").unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parses_fields_of_every_type() {
        for (json, expected) in [
            (r#""x""#, Field::Text("x".to_owned())),
            (r#""\u00e4\ud83d\ude00\n""#, Field::Text("\u{E4}\u{1F600}\n".to_owned())),
            (r#""a\u0000b""#, Field::Text("a\0b".to_owned())),
            (r#""\ud800""#, Field::LoneSurrogate(0xD800)),
            (r#""\udc00""#, Field::LoneSurrogate(0xDC00)),
            (r#""x\ud83d\ude00\n\\ud800 \ud801x\udc01""#, Field::LoneSurrogate(0xD801)),
            (r#""\uDBFF\\""#, Field::LoneSurrogate(0xDBFF)),
            ("5", Field::Number("5".to_owned())),
            ("-0.5", Field::Number("-0.5".to_owned())),
            ("1e3", Field::Number("1000.0".to_owned())),
            ("0.0", Field::Number("0.0".to_owned())),
            ("-0.0", Field::Number("-0.0".to_owned())),
            ("0.0001", Field::Number("0.0001".to_owned())),
            ("1e-5", Field::Number("1e-05".to_owned())),
            ("-1.5e-7", Field::Number("-1.5e-07".to_owned())),
            ("1e15", Field::Number("1000000000000000.0".to_owned())),
            ("1e16", Field::Number("1e+16".to_owned())),
            ("1.5e300", Field::Number("1.5e+300".to_owned())),
            ("123456789012345678901234567890", Field::Number("123456789012345678901234567890".to_owned())),
            ("true", Field::Bool(true)),
            ("false", Field::Bool(false)),
            ("null", Field::Null),
            ("[1]", Field::Composite),
            (r#"{"b": 1}"#, Field::Composite),
        ] {
            assert_eq!(parse_field(json), expected, "{json}");
        }
    }

    #[test]
    fn names_the_python_type_of_other_documents() {
        for (json, expected) in [
            ("[]", Document::Other("list")),
            (" \"abc\"", Document::Other("str")),
            ("5", Document::Other("int")),
            ("5.0", Document::Other("float")),
            ("true", Document::Other("bool")),
            ("null", Document::Null),
        ] {
            assert_eq!(parse(json.as_bytes()), Ok(expected), "{json}");
        }
    }

    #[test]
    fn refuses_malformed_documents() {
        for json in [
            &b"{\"a\": "[..],
            b"{'a': 1}",
            b"{\"a\": 1,}",
            b"{\"a\": NaN}",
            b"{\"a\": Infinity}",
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"{\"a\": 01}",
            b"{\"a\": \"\t\"}",
            b"\xff\xfe{\0}\0",
            b"",
        ] {
            assert!(parse(json).is_err(), "{json:?}");
        }
    }

    #[test]
    fn the_last_of_duplicate_names_counts() {
        let Ok(Document::Object(fields)) = parse(br#"{"a": "x", "a": 5}"#) else { panic!() };
        assert_eq!(fields["a"], Field::Number("5".to_owned()));
    }

    #[test]
    fn deep_documents_do_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(deep.as_bytes()), Ok(Document::Other("list")));
        assert_eq!(parse_field(&deep), Field::Composite);
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        assert_eq!(parse_field(&deep), Field::Composite);
    }
}
