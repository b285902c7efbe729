//! Tokens that the tests forge with the key of the service.

use std::time::UNIX_EPOCH;

use auth_tests::server::SIGNING_KEY;
use serde_json::{Map, Value, json};

use crate::contract::keys::{encode, hs256};
use crate::contract::users::Account;
use crate::contract::variant::Variant;

/// The lifetime of a forged token, in seconds.
pub(crate) const LIFETIME: i64 = 600;
/// 10**30, which `serde_json` cannot represent as a number; inserted into the JSON text.
pub(crate) const HUGE: &str = "1000000000000000000000000000000";

/// A token type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Access,
    Refresh,
    /// An access token and a refresh token in one.
    Sliding,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Access, Self::Refresh, Self::Sliding];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
        }
    }

    /// The field that contains a token of this type in a body.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Access | Self::Refresh => self.name(),
            Self::Sliding => "token",
        }
    }
}

/// Returns the current time in seconds since 1970.
pub(crate) fn now() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs() as i64)
}

/// A token that is not signed yet.
#[derive(Clone)]
pub(crate) struct Draft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Draft {
    /// A token for this account as SimpleJWT issues it, to be signed with the shared secret.
    pub(crate) fn new(kind: Kind, account: &Account, variant: &Variant) -> Self {
        let claims = [("exp", json!(now() + LIFETIME)), ("iat", json!(now()))];
        let mut claims = Map::from_iter(claims.map(|(name, value)| (name.to_owned(), value)));
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim(variant.type_claim, kind.name().into());
        claim(variant.id_claim, token_id().into());
        claim(variant.user_claim, (variant.user_of)(account).into());
        if variant.has_profile_claims {
            claim("email", account.email.clone().into());
            claim("role", "user".into());
        }
        if kind == Kind::Sliding {
            claim("refresh_exp", (now() + LIFETIME).into());
        }
        for (name, value) in variant.claims {
            claim(name, (*value).into());
        }
        Self { header: Map::new(), claims }.header("alg", "HS256").header("typ", "JWT")
    }

    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, claim: &str) -> Self {
        self.claims.remove(claim);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    pub(crate) fn user_as_number(self) -> Self {
        let number: i64 = self.claims["user_id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        self.with("user_id", number)
    }

    /// Returns header and payload without a signature.
    pub(crate) fn message(&self) -> String {
        self.message_with(&json!(self.claims).to_string().replace(&json!(HUGE).to_string(), HUGE))
    }

    pub(crate) fn message_with(&self, payload: &str) -> String {
        format!("{}.{}", encode(json!(self.header).to_string()), encode(payload))
    }

    pub(crate) fn sign(self) -> String {
        hs256(self.message(), SIGNING_KEY)
    }
}

/// Returns a unique token ID in the form of a UUID of version 4.
fn token_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let micros = UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros() as u64) & 0xFFFF_FFFF_FFFF;
    format!("{micros:012x}4{:03x}8{:015x}", std::process::id() % 4096, COUNT.fetch_add(1, Ordering::Relaxed))
}
