//! What the handlers work with.

use async_trait::async_trait;
use auth_accounts::account::UsernameRules;
use auth_accounts::password::PasswordPolicy;
use auth_accounts::service::{AccountService, LoginService, SecondFactorService};
use auth_core::service::TokenService;
use serde_json::Value;

use crate::body::{BodyBudget, OWN_BODY_LIMIT};
use crate::client::TrustedProxies;
use crate::credentials::CredentialHeader;
use crate::throttle::AnonymousThrottle;

/// Whether this process can serve requests that need its storage.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Asks the storage for a sign of life. Must answer within a few seconds.
    async fn is_ready(&self) -> bool;
}

/// How the wire looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Longest body of the endpoints that an application adds, in bytes; longer ones are answered 413 without reading
    /// them to their end. Those of the service take [`OWN_BODY_LIMIT`].
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

/// Everything the handlers need. Shared by all workers.
pub struct App {
    /// Tokens.
    pub tokens: TokenService,
    /// Logins and changes of the password.
    pub logins: LoginService,
    /// Accounts.
    pub accounts: AccountService,
    /// Second factors.
    pub second_factors: SecondFactorService,
    /// Which passwords may be set.
    pub passwords: PasswordPolicy,
    /// Which usernames may be registered.
    pub usernames: UsernameRules,
    /// The public keys, as a JWK set (RFC 7517 §5).
    pub jwks: Value,
    /// Whether the storage answers.
    pub readiness: Box<dyn Readiness>,
    /// How many requests somebody without credentials may make to the routes that have a name
    /// ([`Endpoint::named`](crate::routes::Endpoint::named)); `None`: any number.
    pub throttle: Option<AnonymousThrottle>,
    /// How the wire looks.
    pub settings: HttpSettings,
}
