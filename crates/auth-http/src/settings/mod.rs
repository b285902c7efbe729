//! Settings: body limits, the credential header, trusted proxies.

mod body_budget;
mod credential_header;
mod trusted_proxies;

pub use body_budget::BodyBudget;
pub(crate) use body_budget::Share;
pub use credential_header::{CredentialHeader, CredentialHeaderError};
pub use trusted_proxies::{TrustedProxies, TrustedProxyError};

use crate::fields::{TEXT, TextRules};

/// Longest request body of the service's own endpoints, in bytes.
pub const OWN_BODY_LIMIT: usize = 65_536;

/// Settings of requests and responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Longest body, in bytes, that [`Body`](crate::body::Body) and [`UnreadBody`](crate::body::UnreadBody) accept in handlers
    /// of a host; longer ones are answered 413 without being read to their end. For endpoints of the service, the limit is
    /// [`OWN_BODY_LIMIT`].
    pub body_limit: usize,
    /// Most bytes of request bodies in memory at once; beyond that, requests are answered 503.
    pub body_budget: BodyBudget,
    /// Time limit for receiving a body, in seconds; after it, the request is answered 408.
    pub body_timeout_seconds: u64,
    /// Whether a 401 for a token with a valid signature includes a `reason`.
    pub reasons: bool,
    /// Whether leading and trailing whitespace of passwords is removed, as in the reference implementation.
    pub trim_passwords: bool,
    /// The header that carries an access token.
    pub credentials: CredentialHeader,
    /// Proxies whose `X-Forwarded-For` header is trusted.
    pub trusted_proxies: TrustedProxies,
}

impl HttpSettings {
    /// How password fields are validated.
    pub(crate) const fn password_rules(&self) -> TextRules {
        TextRules { trim: self.trim_passwords, ..TEXT }
    }
}

impl Default for HttpSettings {
    /// 64 KiB in 30 seconds, 64 MiB over all requests, with reasons, untrimmed passwords, `Authorization: Bearer`, no proxies.
    fn default() -> Self {
        Self {
            body_limit: OWN_BODY_LIMIT,
            body_budget: BodyBudget::default(),
            body_timeout_seconds: 30,
            reasons: true,
            trim_passwords: false,
            credentials: CredentialHeader::default(),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}
