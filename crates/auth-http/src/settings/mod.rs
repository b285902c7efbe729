//! What an operator sets: limits of bodies, the header that brings a token, the proxies that are trusted.

mod body_budget;
mod credential_header;
mod trusted_proxies;

pub use body_budget::BodyBudget;
pub(crate) use body_budget::Share;
pub use credential_header::{CredentialHeader, CredentialHeaderError};
pub use trusted_proxies::TrustedProxies;

use crate::fields::{TEXT, TextRules};

/// Longest body of the service's own routes, in bytes: no token, name or password needs more.
pub const OWN_BODY_LIMIT: usize = 65_536;

/// How the wire looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Longest body, in bytes, that [`Body`](crate::body::Body) and [`UnreadBody`](crate::body::UnreadBody) take in the handlers
    /// of an application; longer ones are answered 413 without reading them to their end. Those of the service take
    /// [`OWN_BODY_LIMIT`].
    pub body_limit: usize,
    /// How many bytes of bodies may be in memory at once; beyond it, requests are answered 503.
    pub body_budget: BodyBudget,
    /// How long a client may take to send a body, in seconds; slower ones are answered 408.
    pub body_timeout_seconds: u64,
    /// Whether a refusal to the bearer of a well-signed token also says the `reason`.
    pub reasons: bool,
    /// Whether blanks at the edges of passwords are cut off, as the reference peer does.
    pub trim_passwords: bool,
    /// Where access tokens are read from.
    pub credentials: CredentialHeader,
    /// The proxies that are believed whom they speak for.
    pub trusted_proxies: TrustedProxies,
}

impl HttpSettings {
    /// How the fields of passwords are read.
    pub(crate) const fn password_rules(&self) -> TextRules {
        TextRules { trim: self.trim_passwords, ..TEXT }
    }
}

impl Default for HttpSettings {
    /// 64 KiB in 30 seconds, 64 MiB in all requests together, with reasons, passwords as they are, `Authorization: Bearer`, no proxies.
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
