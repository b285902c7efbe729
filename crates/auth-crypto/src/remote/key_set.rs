//! The keys of another issuer, as it publishes them.

use std::collections::HashSet;

use serde_json::Value;

use crate::VerifyingKey;
use crate::remote::KeySetError;
use crate::ring::Jws;

/// The usable keys of a JWK set (RFC 7517 §5): at least one, none symmetric, each with an id of its own.
#[derive(Debug)]
pub(super) struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// Longest text, in bytes.
    pub(super) const MAX_BYTES: usize = 256 * 1024;
    /// Most keys, good or not.
    pub(super) const MAX_KEYS: usize = 64;

    /// Reads a set. A key of no use is passed over (RFC 7517 §5); of several with one id the first is taken.
    pub(super) fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > Self::MAX_BYTES {
            return Err(KeySetError::TooLong(text.len()));
        }
        let json: Value = serde_json::from_slice(text).map_err(|_| KeySetError::NotKeySet)?;
        let jwks = json.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotKeySet)?;
        if jwks.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooManyKeys(jwks.len()));
        }
        let mut keys: Vec<_> = jwks.iter().filter_map(|jwk| VerifyingKey::from_jwk(None, jwk).ok()).collect();
        let mut seen = HashSet::new();
        keys.retain(|key| key.kid().is_some_and(|kid| seen.insert(kid.to_owned())));
        if keys.is_empty() { Err(KeySetError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// Whether there is a key with this id.
    pub(super) fn contains(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid() == Some(kid))
    }

    /// Whether one of the keys made this: the one that it names, or any if it names none.
    pub(super) fn has_made(&self, jws: &Jws<'_>) -> bool {
        self.0.iter().any(|key| (jws.kid().is_none() || jws.kid() == key.kid()) && jws.is_by(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwk(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid})
    }

    fn ids(text: &str) -> Result<Vec<String>, String> {
        let set = KeySet::parse(text.as_bytes()).map_err(|error| format!("{error:?}"))?;
        Ok(set.0.iter().map(|key| key.kid().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_set_is_an_object_with_an_array_of_keys_of_which_at_least_one_is_of_use() {
        for text in ["", "[]", "null", "{}", "<html></html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"KEYS":[]}"#] {
            assert_eq!(ids(text), Err("NotKeySet".to_owned()), "{text}");
        }
        assert!(matches!(KeySet::parse(b"{\"keys\":[],\"x\":\"\xFF\"}"), Err(KeySetError::NotKeySet)), "not UTF-8");
        // A key alone is no set.
        assert_eq!(ids(&jwk("a").to_string()), Err("NotKeySet".to_owned()));
        for keys in [json!([]), json!([null, 1, "x", [], {}]), json!([{"kty": "oct", "k": "AA", "kid": "a"}])] {
            assert_eq!(ids(&json!({"keys": keys}).to_string()), Err("NoUsableKey".to_owned()), "{keys}");
        }
    }

    #[test]
    fn keys_of_no_use_are_passed_over_and_the_first_of_an_id_is_taken() {
        let with = |name: &str, value: Value| {
            let mut jwk = jwk("odd");
            jwk[name] = value;
            jwk
        };
        let keys = json!([
            {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "alg": "HS256", "kid": "secret"},
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "new"},
            with("use", json!("enc")),
            with("d", json!("AA")),
            with("alg", json!("ES256")),
            null,
            jwk("a"),
            {"kty": "EC", "crv": "P-256", "kid": "a",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
            jwk("b"),
        ]);
        let set = KeySet::parse(json!({"keys": keys, "more": 1}).to_string().as_bytes()).unwrap();
        let taken: Vec<_> = set.0.iter().map(|key| (key.kid().unwrap(), key.algorithm().name())).collect();
        assert_eq!(taken, [("a", "EdDSA"), ("b", "EdDSA")]);
        assert!(set.contains("b") && !set.contains("odd"));
    }

    #[test]
    fn a_set_has_at_most_64_keys_and_256_kib() {
        let of =
            |count: usize| json!({"keys": (0..count).map(|i| jwk(&i.to_string())).collect::<Vec<_>>()}).to_string();
        assert_eq!(ids(&of(64)).map(|ids| ids.len()), Ok(64));
        assert_eq!(ids(&of(65)), Err("TooManyKeys(65)".to_owned()));
        let padded = |len: usize| of(1) + &" ".repeat(len - of(1).len());
        assert_eq!(ids(&padded(256 * 1024)), Ok(vec!["0".to_owned()]));
        assert_eq!(ids(&padded(256 * 1024 + 1)), Err("TooLong(262145)".to_owned()));
    }
}
