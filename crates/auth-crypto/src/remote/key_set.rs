//! Parsing of the JWK set of another issuer.

use std::collections::HashSet;

use serde_json::Value;

use crate::VerifyingKey;
use crate::remote::KeySetError;
use crate::ring::Jws;

/// The usable keys of a JWK set (RFC 7517 §5): at least one, none symmetric, all with different key IDs.
#[derive(Debug)]
pub(super) struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// The maximum length of a JWK set, in bytes.
    pub(super) const MAX_BYTES: usize = 256 * 1024;
    /// The maximum number of keys, usable or not.
    pub(super) const MAX_KEYS: usize = 64;

    /// Parses a JWK set. Unusable keys are ignored (RFC 7517 §5), and so are all but the first of several keys with the
    /// same key ID.
    pub(super) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > Self::MAX_BYTES {
            return Err(KeySetError::TooLong(json.len()));
        }
        let json: Value = serde_json::from_slice(json).map_err(|_| KeySetError::NotKeySet)?;
        let jwks = json.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotKeySet)?;
        if jwks.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooManyKeys(jwks.len()));
        }
        let mut keys: Vec<_> = jwks.iter().filter_map(|jwk| VerifyingKey::from_jwk(None, jwk).ok()).collect();
        let mut seen = HashSet::new();
        keys.retain(|key| key.kid().is_some_and(|kid| seen.insert(kid.to_owned())));
        if keys.is_empty() { Err(KeySetError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// Returns whether the set has a key with this key ID.
    pub(super) fn contains(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid() == Some(kid))
    }

    /// Returns whether one of the keys signed the token: the one with its `kid`, or any key if it has no `kid`.
    pub(super) fn has_signed(&self, jws: &Jws<'_>) -> bool {
        self.0.iter().any(|key| (jws.kid().is_none() || jws.kid() == key.kid()) && jws.is_signed_by(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwk(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid})
    }

    fn key_ids(json: &str) -> Result<Vec<String>, String> {
        let set = KeySet::parse(json.as_bytes()).map_err(|error| format!("{error:?}"))?;
        Ok(set.0.iter().map(|key| key.kid().unwrap().to_owned()).collect())
    }

    #[test]
    fn requires_an_array_of_keys_with_at_least_one_usable_key() {
        for json in ["", "[]", "null", "{}", "<html></html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"KEYS":[]}"#] {
            assert_eq!(key_ids(json), Err("NotKeySet".to_owned()), "{json}");
        }
        assert!(matches!(KeySet::parse(b"{\"keys\":[],\"x\":\"\xFF\"}"), Err(KeySetError::NotKeySet)), "not UTF-8");
        // A single JWK is not a JWK set.
        assert_eq!(key_ids(&jwk("a").to_string()), Err("NotKeySet".to_owned()));
        for keys in [json!([]), json!([null, 1, "x", [], {}]), json!([{"kty": "oct", "k": "AA", "kid": "a"}])] {
            assert_eq!(key_ids(&json!({"keys": keys}).to_string()), Err("NoUsableKey".to_owned()), "{keys}");
        }
    }

    #[test]
    fn ignores_unusable_keys_and_repeated_key_ids() {
        let with = |name: &str, value: Value| {
            let mut jwk = jwk("unusable");
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
        let accepted: Vec<_> = set.0.iter().map(|key| (key.kid().unwrap(), key.algorithm().name())).collect();
        assert_eq!(accepted, [("a", "EdDSA"), ("b", "EdDSA")]);
        assert!(set.contains("b") && !set.contains("unusable"));
    }

    #[test]
    fn accepts_at_most_64_keys_and_256_kib() {
        let set_of =
            |count: usize| json!({"keys": (0..count).map(|i| jwk(&i.to_string())).collect::<Vec<_>>()}).to_string();
        assert_eq!(key_ids(&set_of(64)).map(|key_ids| key_ids.len()), Ok(64));
        assert_eq!(key_ids(&set_of(65)), Err("TooManyKeys(65)".to_owned()));
        let padded = |len: usize| set_of(1) + &" ".repeat(len - set_of(1).len());
        assert_eq!(key_ids(&padded(256 * 1024)), Ok(vec!["0".to_owned()]));
        assert_eq!(key_ids(&padded(256 * 1024 + 1)), Err("TooLong(262145)".to_owned()));
    }
}
