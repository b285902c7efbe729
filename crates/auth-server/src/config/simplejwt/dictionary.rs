//! The parsed dictionary.

use auth_crypto::Algorithm;
use serde_json::{Map, Value};

/// A SIMPLE_JWT dictionary. Secret: it may hold the signing key.
pub(super) struct Dictionary(Map<String, Value>);

impl Dictionary {
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        match serde_json::from_str(json) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err("the file does not contain a JSON object; write the whole dictionary, {…}".to_owned()),
            Err(error) => Err(format!(
                "the file is not valid JSON (line {}); use `manage.py shell -v 0`, so that nothing else is written to the file",
                error.line()
            )),
        }
    }

    /// The names of the settings in the dictionary.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a setting; `None` if the dictionary does not set it.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The signing algorithm; `None` if it is not supported.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        match self.get("ALGORITHM") {
            None => Some(Algorithm::Hs256),
            Some(name) => name.as_str()?.parse().ok(),
        }
    }
}
