//! Parsing of token headers (RFC 7515 §4), which are untrusted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::key::is_valid_kid;

/// The header parameters that select a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Not checked; may name an unsupported algorithm.
    pub(super) alg: String,
    /// A valid key ID; `None` if the header has none.
    pub(super) kid: Option<String>,
}

impl Header {
    /// Parses a header; returns `None` if it must be rejected regardless of the key.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let Members(mut members) = serde_json::from_slice(json).ok()?;
        // No critical extension is supported (RFC 7515 §4.1.11). `b64` would change the signing input (RFC 7797).
        if members.contains_key("crit") || members.contains_key("b64") {
            return None;
        }
        let Some(Value::String(alg)) = members.remove("alg") else { return None };
        let kid = match members.remove("kid") {
            None => None,
            Some(Value::String(kid)) if is_valid_kid(&kid) => Some(kid),
            Some(_) => return None,
        };
        Some(Self { alg, kid })
    }
}

/// A JSON object without duplicate members (RFC 7515 §4).
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate member"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requires_a_string_alg_and_a_valid_kid_and_no_duplicate_members() {
        let longest = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(128));
        let too_long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(129));
        let deep = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(3_000), "]".repeat(3_000));
        for (json, accepted) in [
            (r#"{"alg":"HS256"}"#, true),
            (" {\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"} ", true),
            (r#"{"alg":"HS256","kid":"2026-01_a~b.c:d=e+f@g"}"#, true),
            (r#"{"alg":"HS256","typ":7,"cty":null,"jwk":{},"jku":"https://a.example","x5u":[],"x5c":0}"#, true),
            (&longest, true),
            (&too_long, false),
            (&deep, false),
            ("", false),
            ("null", false),
            (r#""HS256""#, false),
            (r#"[["alg","HS256"]]"#, false),
            ("{}", false),
            (r#"{"ALG":"HS256"}"#, false),
            (r#"{"alg":null}"#, false),
            (r#"{"alg":["HS256"]}"#, false),
            (r#"{"alg":256}"#, false),
            (r#"{"alg":"HS256"}{}"#, false),
            (r#"{"alg":"HS256",}"#, false),
            ("\u{FEFF}{\"alg\":\"HS256\"}", false),
            (r#"{"alg":"none","alg":"HS256"}"#, false),
            (r#"{"alg":"HS256","alg":"HS256"}"#, false),
            (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, false),
            (r#"{"alg":"HS256","typ":"JWT","typ":"JWT"}"#, false),
            (r#"{"alg":"HS256","crit":["exp"]}"#, false),
            (r#"{"alg":"HS256","crit":[]}"#, false),
            (r#"{"alg":"HS256","crit":null}"#, false),
            (r#"{"alg":"HS256","b64":true}"#, false),
            (r#"{"alg":"HS256","b64":false}"#, false),
            (r#"{"alg":"HS256","kid":null}"#, false),
            (r#"{"alg":"HS256","kid":1}"#, false),
            (r#"{"alg":"HS256","kid":{"kid":"a"}}"#, false),
            (r#"{"alg":"HS256","kid":""}"#, false),
            (r#"{"alg":"HS256","kid":"../../dev/null"}"#, false),
            (r#"{"alg":"HS256","kid":"C:\\keys"}"#, false),
            (r#"{"alg":"HS256","kid":"x' UNION SELECT 'key';--"}"#, false),
            (r#"{"alg":"HS256","kid":"https://a.example/key"}"#, false),
            (r#"{"alg":"HS256","kid":"a\u0000"}"#, false),
            (r#"{"alg":"HS256","kid":"a\n"}"#, false),
            (r#"{"alg":"HS256","kid":"a b"}"#, false),
            (r#"{"alg":"HS256","kid":"${jndi:ldap}"}"#, false),
            (r#"{"alg":"HS256","kid":"k\u00e9y"}"#, false),
        ] {
            assert_eq!(Header::parse(json.as_bytes()).is_some(), accepted, "{json:.80}");
        }
        assert_eq!(Header::parse(b"{\"alg\":\"HS256\",\"x\":\"\xFF\"}"), None, "not UTF-8");
    }
}
