//! The dictionary as it arrived.

use auth_crypto::Algorithm;
use serde_json::{Map, Value};

/// A SIMPLE_JWT dictionary. Secret: it may hold the signing key.
pub(super) struct Dictionary(Map<String, Value>);

impl Dictionary {
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        match serde_json::from_str(json) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err("the file holds no JSON object; write the whole dictionary, {…}".to_owned()),
            Err(error) => Err(format!(
                "the file is no JSON at line {}; with `manage.py shell -v 0` nothing else gets into it",
                error.line()
            )),
        }
    }

    /// The names in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What it says of a setting; `None`: nothing.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The algorithm of tokens; `None` if there is no such one here.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        match self.get("ALGORITHM") {
            None => Some(Algorithm::Hs256),
            Some(name) => name.as_str()?.parse().ok(),
        }
    }
}
