//! Tokens made by hand, with whatever in them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::{Sha256, Sha384, Sha512};

pub(crate) use auth_tests::server::SIGNING_KEY;

/// The header that the service writes.
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// The HMAC of a message, by the name of the algorithm.
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

/// A token whose header and payload are these bytes, signed as the servers' own are.
pub(crate) fn signed(header: &str, payload: impl AsRef<[u8]>) -> String {
    signed_with(SIGNING_KEY.as_bytes(), header, payload)
}

/// A token whose header and payload are these bytes, signed with HMAC-SHA-256 under a key.
pub(crate) fn signed_with(key: &[u8], header: &str, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", base64url(header), base64url(payload));
    let signature = hmac("HS256", key, &message);
    format!("{message}.{}", base64url(signature))
}

/// The three parts of a token.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().expect("three parts")
}

/// The header of a token.
pub(crate) fn header_of(token: &str) -> Map<String, Value> {
    serde_json::from_slice(&from_base64url(parts(token)[0])).expect("a header")
}

/// The claims of a token.
pub(crate) fn claims_of(token: &str) -> Map<String, Value> {
    serde_json::from_slice(&from_base64url(parts(token)[1])).expect("claims")
}

/// Claims as JSON that can say what no `Value` can: each claim is a name and raw JSON.
#[derive(Clone, Debug)]
pub(crate) struct Claims(Vec<(String, String)>);

impl Claims {
    /// The claims of a token of the service.
    pub(crate) fn of(token: &str) -> Self {
        Self(claims_of(token).into_iter().map(|(name, value)| (name, value.to_string())).collect())
    }

    /// With a claim of this raw JSON in the place of the one there was.
    pub(crate) fn with(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.without(name);
        changed.0.push((name.to_owned(), json.to_string()));
        changed
    }

    /// Without a claim.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// With one more claim in front, of a name that may be there already.
    pub(crate) fn with_first(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.clone();
        changed.0.insert(0, (name.to_owned(), json.to_string()));
        changed
    }

    /// With one more claim at the end, of a name that may be there already.
    pub(crate) fn with_last(&self, name: &str, json: impl ToString) -> Self {
        let mut changed = self.clone();
        changed.0.push((name.to_owned(), json.to_string()));
        changed
    }

    /// The raw JSON of a claim.
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.0.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    pub(crate) fn json(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// Well signed.
    pub(crate) fn token(&self) -> String {
        signed(HEADER, self.json())
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_secs() as i64
}

/// A random number's worth of uniqueness for a `jti`, as 32 hex digits.
pub(crate) fn some_jti() -> String {
    let name = super::shared_servers::fresh("jti");
    let digest = hmac("HS256", name.as_bytes(), &now().to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
