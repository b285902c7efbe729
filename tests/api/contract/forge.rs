//! Tokens that the tests write themselves, with the key of the service: good ones, and every kind of bad ones.

use std::time::UNIX_EPOCH;

use auth_tests::server::SIGNING_KEY;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha512};

const ANOTHER_KEY: &str = "another-key-for-tests-0123456789-abcdefghijkl";
/// How long a forged token lives, in seconds.
const LIFETIME: i64 = 600;
/// 10**30, which no JSON number of this program can hold: written in at the end.
const HUGE: &str = "1000000000000000000000000000000";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Refresh,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs() as i64)
}

/// A token to be signed.
#[derive(Clone)]
pub(crate) struct Draft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Draft {
    /// A token as SimpleJWT would have written it for this account.
    pub(crate) fn new(kind: Kind, user_id: i64, email: &str) -> Self {
        let claims = json!({
            "token_type": kind.name(), "exp": now() + LIFETIME, "iat": now(), "jti": token_id(),
            "user_id": user_id.to_string(), "email": email, "role": "user",
        });
        Self { header: object(json!({"alg": "HS256", "typ": "JWT"})), claims: object(claims) }
    }

    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    fn user_as_number(self) -> Self {
        let number: i64 = self.claims["user_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        self.with("user_id", number)
    }

    /// Header and payload, without a signature.
    fn message(&self) -> String {
        self.message_with(&json!(self.claims).to_string().replace(&json!(HUGE).to_string(), HUGE))
    }

    fn message_with(&self, payload: &str) -> String {
        format!("{}.{}", encode(json!(self.header).to_string()), encode(payload))
    }

    pub(crate) fn sign(self) -> String {
        signed(self.message(), SIGNING_KEY)
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// 32 hex digits, as of a UUID of version 4; another one each time.
fn token_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let micros = UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros() as u64) & 0xFFFF_FFFF_FFFF;
    format!("{micros:012x}4{:03x}8{:015x}", std::process::id() % 4096, COUNT.fetch_add(1, Ordering::Relaxed))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs with HMAC-SHA256 (RFC 7515 §5.1).
fn signed(message: String, key: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

fn signed_512(message: String) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(SIGNING_KEY.as_bytes()).expect("a key of any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

/// Header and payload of a token that the service's key signed.
pub(crate) fn open(token: &str) -> Result<(Value, Map<String, Value>), String> {
    let message = token.rsplit_once('.').map_or("", |(message, _)| message);
    if signed(message.to_owned(), SIGNING_KEY) != token {
        return Err(format!("not signed with the key of the service: {token}"));
    }
    let part = |number: usize| -> Result<Value, String> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(message.split('.').nth(number).unwrap_or_default());
        serde_json::from_slice(&bytes.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    };
    Ok((part(0)?, part(1)?.as_object().cloned().ok_or("the payload is no object")?))
}

/// Makes a token from a good one.
pub(crate) type Recipe = fn(Draft) -> String;

/// How to make the token that a row is about, from a good one. The key is the end of the row's id: the same tokens are
/// shown to four endpoints. The title of the row says what it is.
pub(crate) const RECIPES: &[(&str, Recipe)] = &[
    ("forged", Draft::sign),
    // Its time.
    ("expired", |t| t.with("iat", now() - LIFETIME).with("exp", now() - 1).sign()),
    ("exp-now", |t| t.with("iat", now() - LIFETIME).with("exp", now()).sign()),
    ("no-exp", |t| t.without("exp").sign()),
    ("exp-string", |t| t.with("exp", (now() + LIFETIME).to_string()).sign()),
    ("exp-word", |t| t.with("exp", "tomorrow").sign()),
    ("exp-float", |t| t.with("exp", now() as f64 + 600.5).sign()),
    ("exp-huge", |t| t.with("exp", 10_i64.pow(18)).sign()),
    ("no-iat", |t| t.without("iat").sign()),
    ("iat-future", |t| t.with("iat", now() + 300).sign()),
    ("nbf-future", |t| t.with("nbf", now() + 300).sign()),
    // Its signature.
    ("tampered", |t| {
        let good = t.clone().sign();
        let signature = good.rsplit('.').next().unwrap_or_default();
        format!("{}.{signature}", t.with("role", "admin").message())
    }),
    ("wrong-key", |t| signed(t.message(), ANOTHER_KEY)),
    ("alg-none", |t| format!("{}.", t.header("alg", "none").message())),
    ("alg-none-case", |t| format!("{}.", t.header("alg", "nOnE").message())),
    ("alg-hs512", |t| signed_512(t.header("alg", "HS512").message())),
    ("alg-rs256", |t| t.header("alg", "RS256").sign()),
    ("no-sig", |t| format!("{}.", t.message())),
    ("two-parts", |t| t.message()),
    // Its other claims.
    ("sliding", |t| t.with("token_type", "sliding").sign()),
    ("no-type", |t| t.without("token_type").sign()),
    ("no-jti", |t| t.without("jti").sign()),
    ("jti-int", |t| t.with("jti", 5).sign()),
    ("sub-int", |t| t.with("sub", 5).sign()),
    ("aud", |t| t.with("aud", "somebody").sign()),
    ("iss", |t| t.with("iss", "somebody").sign()),
    ("payload-list", |t| signed(t.message_with("[1,2]"), SIGNING_KEY)),
    // Its user.
    ("no-user", |t| t.without("user_id").sign()),
    ("user-unknown", |t| t.with("user_id", "999999999").sign()),
    ("user-int", |t| t.user_as_number().sign()),
    ("user-word", |t| t.with("user_id", "abc").sign()),
    ("user-null", |t| t.with("user_id", Value::Null).sign()),
    ("user-list", |t| t.with("user_id", json!([1])).sign()),
    ("user-huge", |t| t.with("user_id", HUGE).sign()),
    ("user-blank", |t| t.with("user_id", "").sign()),
    // Its header.
    ("hdr-extra", |t| t.header("kid", "somewhere").header("cty", "text").sign()),
    ("hdr-crit", |t| t.header("crit", json!(["x"])).header("x", 1).sign()),
    ("hdr-typ", |t| t.header("typ", "at+jwt").sign()),
    ("hdr-notyp", |t| t.without_header("typ").sign()),
    // Of the claims that nobody knows.
    ("custom", |t| t.with("email", "forged@example.com").with("custom", json!({"a": [1]})).with("nbf", 1).sign()),
];
