//! The configuration as types. `config/default.toml` says what each key means.

use serde::{Deserialize, Serialize};

use super::choice::{
    self, AcceptedKind, EmailVerification, LogFormat, NewUserIds, OnRetry, RequiredFor, UserClaim, UserIdField,
    WhenStale,
};
pub use super::mail::Mail;
pub use super::throttle::Throttle;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// The data folder.
    pub data: Data,
    /// The listener.
    pub server: Server,
    /// Requests and answers.
    pub http: Http,
    /// The auth cache of guarded routes.
    pub guards: Guards,
    /// The database.
    pub database: Database,
    /// The application secret.
    pub secrets: Secrets,
    /// Tokens and keys.
    pub tokens: Tokens,
    /// Passwords and their hashing.
    pub passwords: Passwords,
    /// Emails and their delivery.
    pub mail: Mail,
    /// Accounts: usernames, email addresses, session limit, user IDs.
    pub accounts: Accounts,
    /// Second factors.
    pub second_factor: SecondFactor,
    /// Rate limits.
    pub throttle: Throttle,
    /// Pruning.
    pub maintenance: Maintenance,
    /// Logs.
    pub log: Log,
}

/// Section `data`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Data {
    /// Folder for the files that the service creates.
    pub dir: String,
}

/// Section `server`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Server {
    /// Bind address.
    pub bind: String,
    /// Threads; 0: one for each core.
    pub workers: usize,
    /// Time limit for requests in flight at shutdown.
    pub shutdown_timeout_seconds: u64,
    /// Time limit for the head of a request.
    pub header_timeout_seconds: u64,
    /// How long a connection stays open between two requests.
    pub keep_alive_seconds: u64,
    /// How long a connection may make no progress in the middle of a body or an answer.
    pub idle_timeout_seconds: u64,
    /// Most connections; 0: as many as the process allows.
    pub max_connections: usize,
    /// Most connections of one client IP that leave a request incomplete or an answer unread.
    pub max_unanswered_per_client_ip: usize,
    /// Proxies whose `X-Forwarded-For` header is trusted.
    #[serde(deserialize_with = "choice::list")]
    pub trusted_proxies: Vec<String>,
}

/// Section `http`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Http {
    /// Whether the paths of the tutorials are served too.
    pub aliases: bool,
    /// Longest request body of the routes that an application adds.
    pub body_limit_bytes: usize,
    /// Most bytes of request bodies in memory at once.
    pub body_budget_bytes: usize,
    /// Time limit for a request body.
    pub body_timeout_seconds: u64,
    /// Whether refusals have the key `reason`.
    pub error_reasons: bool,
    /// Name of the header that carries an access token.
    pub auth_header_name: String,
    /// Schemes accepted in this header.
    #[serde(deserialize_with = "choice::list")]
    pub auth_header_types: Vec<String>,
}

/// Section `guards`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Guards {
    /// How long an entry stays in the auth cache; 0: no auth cache.
    pub cache_ttl_seconds: u64,
    /// Most entries in the auth cache.
    pub cache_capacity: usize,
    /// What guarded routes do while the invalidation feed is unavailable.
    #[serde(deserialize_with = "choice::one")]
    pub when_stale: WhenStale,
}

/// Section `database`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Database {
    /// URL; empty: SQLite in the data folder.
    pub url: Secret,
    /// Whether SQLite in the data folder is used if there is no URL.
    pub embedded: bool,
    /// File that holds the URL.
    pub url_file: String,
    /// Whether pending migrations are applied at startup.
    pub auto_migrate: bool,
    /// Most connections.
    pub pool_size: u32,
    /// How long a request waits for a free connection.
    pub acquire_timeout_milliseconds: u64,
    /// Time limit for one statement.
    pub statement_timeout_milliseconds: u64,
}

/// Section `secrets`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secrets {
    /// The application secret.
    pub key: Secret,
    /// File that holds the application secret.
    pub key_file: String,
    /// Files with former application secrets.
    #[serde(deserialize_with = "choice::list")]
    pub former_key_files: Vec<String>,
    /// Whether an application secret is generated if none is configured.
    pub generate_key: bool,
}

/// Section `tokens`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tokens {
    /// Signing algorithm: its JWA name, or `auto`.
    pub algorithm: String,
    /// Signing key: a shared secret or a private key.
    pub signing_key: Secret,
    /// File that holds the signing key.
    pub signing_key_file: String,
    /// Whether a signing key is generated if none is configured.
    pub generate_key: bool,
    /// Files with further verifying keys.
    #[serde(deserialize_with = "choice::list")]
    pub verifying_key_files: Vec<String>,
    /// The claim `iss`; empty: none.
    pub issuer: String,
    /// The claim `aud`; empty: none.
    pub audience: String,
    /// URL of the JWK set of another issuer; empty: none.
    pub jwks_url: String,
    /// Age at which the JWK set is fetched again.
    pub jwks_refresh_seconds: u64,
    /// Age at which the JWK set is no longer used.
    pub jwks_max_age_seconds: u64,
    /// Name of the claim that holds the token type.
    pub token_type_claim: String,
    /// Name of the claim that holds the token ID.
    pub jti_claim: String,
    /// Name of the claim that names the user.
    pub user_id_claim: String,
    /// Field of the account that this claim holds.
    #[serde(deserialize_with = "choice::one")]
    pub user_id_field: UserIdField,
    /// Token types that open guarded routes.
    #[serde(deserialize_with = "choice::list")]
    pub accepted_kinds: Vec<AcceptedKind>,
    /// Leeway: how far the clocks of two machines may differ.
    pub leeway_seconds: u64,
    /// Lifetime of an access token.
    pub access_ttl_seconds: u64,
    /// Lifetime of a refresh token.
    pub refresh_ttl_seconds: u64,
    /// Lifetime of a sliding token.
    pub sliding_ttl_seconds: u64,
    /// How long after the login a sliding token can be refreshed.
    pub sliding_refresh_ttl_seconds: u64,
    /// Name of the claim that holds the end of that time.
    pub sliding_refresh_exp_claim: String,
    /// Whether a refresh returns a new refresh token.
    pub rotate_refresh_tokens: bool,
    /// Whether the old refresh token is refused after a rotation.
    pub blacklist_after_rotation: bool,
    /// Absolute lifetime of a session; 0: unlimited.
    pub session_max_ttl_seconds: u64,
    /// The replay window.
    pub retry_window_seconds: u64,
    /// How a retry is answered.
    #[serde(deserialize_with = "choice::one")]
    pub on_retry: OnRetry,
    /// Claims taken from the account.
    #[serde(deserialize_with = "choice::list")]
    pub claims: Vec<UserClaim>,
    /// Time limit for the claims provider.
    pub claims_timeout_milliseconds: u64,
    /// Whether unknown claims are copied from a refresh token to its successors.
    pub keep_custom_claims: bool,
    /// Whether externally issued refresh tokens are adopted.
    pub adopt_foreign_tokens: bool,
    /// Whether access tokens are refused once their session has ended.
    pub check_session_on_access: bool,
    /// Whether the tokens of inactive users are refused.
    pub check_user_is_active: bool,
    /// Whether the time of each login is stored.
    pub update_last_login: bool,
}

/// Section `passwords`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Passwords {
    /// Fewest characters of a new password.
    pub min_chars: usize,
    /// Name that no password may resemble; empty: none.
    pub service_name: String,
    /// Whether leading and trailing whitespace is stripped.
    pub trim: bool,
    /// Argon2id memory.
    pub argon2_memory_kib: u32,
    /// Argon2id passes.
    pub argon2_iterations: u32,
    /// Argon2id lanes.
    pub argon2_parallelism: u32,
    /// Hashing threads; 0: one for each core.
    pub hash_threads: usize,
    /// Most passwords that may wait for a hashing thread.
    pub hash_queue: usize,
}

/// Section `accounts`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Accounts {
    /// Whether users verify their email address.
    #[serde(deserialize_with = "choice::one")]
    pub email_verification: EmailVerification,
    /// Whether usernames may contain only letters, digits and `@ . + - _`.
    pub plain_usernames: bool,
    /// Whether usernames that differ only in letter case are the same.
    pub ignore_username_case: bool,
    /// Most live sessions of one account; 0: unlimited.
    pub max_sessions: u32,
    /// Which IDs new users get.
    #[serde(deserialize_with = "choice::one")]
    pub new_user_ids: NewUserIds,
}

/// Section `second_factor`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SecondFactor {
    /// Which users need a second factor.
    #[serde(deserialize_with = "choice::one")]
    pub required_for: RequiredFor,
}

/// Section `maintenance`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Maintenance {
    /// How often expired rows are deleted; 0: never.
    pub prune_interval_seconds: u64,
    /// Most rows that one transaction deletes.
    pub prune_batch: u32,
}

/// Section `log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Log {
    /// How log records are written.
    #[serde(deserialize_with = "choice::one")]
    pub format: LogFormat,
    /// Log level or directives.
    pub level: String,
}

/// A value that is never printed: `Debug` and `Serialize` write a mask.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not be printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    const fn mask(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "********" }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.mask())
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.mask())
    }
}
