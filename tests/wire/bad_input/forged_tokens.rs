//! Forges tokens with arbitrary contents.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::{Sha256, Sha384, Sha512};

pub(crate) use auth_tests::server::SIGNING_KEY;

/// The header of tokens that the service issues.
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// Returns the HMAC of a message with this algorithm.
pub(crate) fn hmac(algorithm: &str, key: &[u8], message: &str) -> Vec<u8> {
    macro_rules! with {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(key).expect("a key");
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match algorithm {
        "HS384" => with!(Sha384),
        "HS512" => with!(Sha512),
        _ => with!(Sha256),
    }
}

/// Returns a token with this header and payload, signed like the servers' own tokens.
pub(crate) fn sign(header: &str, payload: impl AsRef<[u8]>) -> String {
    sign_with(SIGNING_KEY.as_bytes(), header, payload)
}

/// Returns a token with this header and payload, signed with HMAC-SHA-256 under this key.
pub(crate) fn sign_with(key: &[u8], header: &str, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", base64url(header), base64url(payload));
    let signature = hmac("HS256", key, &message);
    format!("{message}.{}", base64url(signature))
}

/// Returns the three parts of a token.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().expect("three parts")
}

/// Returns the header of a token.
pub(crate) fn header_of(token: &str) -> Map<String, Value> {
    serde_json::from_slice(&from_base64url(parts(token)[0])).expect("a header")
}

/// Returns the claims of a token.
pub(crate) fn claims_of(token: &str) -> Map<String, Value> {
    serde_json::from_slice(&from_base64url(parts(token)[1])).expect("claims")
}

/// Claims as raw JSON, which can express more than a `Value`: duplicate names, unusual numbers.
#[derive(Clone, Debug)]
pub(crate) struct Claims(Vec<(String, String)>);

impl Claims {
    /// Returns the claims of a token.
    pub(crate) fn of(token: &str) -> Self {
        Self(claims_of(token).into_iter().map(|(name, value)| (name, value.to_string())).collect())
    }

    /// Sets a claim to this raw JSON.
    pub(crate) fn with(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.without(name);
        changed.0.push((name.to_owned(), json.to_string()));
        changed
    }

    /// Removes a claim.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// Inserts a claim at the front, even if its name is already present.
    pub(crate) fn with_first(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.clone();
        changed.0.insert(0, (name.to_owned(), json.to_string()));
        changed
    }

    /// Appends a claim, even if its name is already present.
    pub(crate) fn with_last(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.clone();
        changed.0.push((name.to_owned(), json.to_string()));
        changed
    }

    /// Returns the raw JSON of a claim.
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// Returns a correctly signed token with these claims.
    pub(crate) fn token(&self) -> String {
        sign(HEADER, self.json())
    }
}

/// Returns the current time in seconds since 1970.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs() as i64
}

/// Returns a unique token ID of 32 hex characters.
pub(crate) fn unique_jti() -> String {
    let name = super::shared_servers::fresh("jti");
    let digest = hmac("HS256", name.as_bytes(), &now().to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
