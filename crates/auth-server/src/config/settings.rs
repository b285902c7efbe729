//! The configuration as types. What each key means stands in `config/default.toml`.

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
    /// Where files are kept.
    pub data: Data,
    /// The listener.
    pub server: Server,
    /// The wire.
    pub http: Http,
    /// Guarded routes.
    pub guards: Guards,
    /// The storage.
    pub database: Database,
    /// The secret of the installation.
    pub secrets: Secrets,
    /// Tokens and keys.
    pub tokens: Tokens,
    /// Passwords and their hashing.
    pub passwords: Passwords,
    /// How mails travel.
    pub mail: Mail,
    /// Names and addresses of accounts.
    pub accounts: Accounts,
    /// Second factors.
    pub second_factor: SecondFactor,
    /// Limits of attempts.
    pub throttle: Throttle,
    /// Forgetting what has expired.
    pub maintenance: Maintenance,
    /// Logs.
    pub log: Log,
}

/// Section `data`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Data {
    /// Folder for files that the service makes.
    pub dir: String,
}

/// Section `server`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Server {
    /// Address and port.
    pub bind: String,
    /// Threads; 0: one for each core.
    pub workers: usize,
    /// For requests in flight at a stop.
    pub shutdown_timeout_seconds: u64,
    /// For the head of a request.
    pub header_timeout_seconds: u64,
    /// Between two requests on one connection.
    pub keep_alive_seconds: u64,
    /// In the middle of a body or an answer.
    pub idle_timeout_seconds: u64,
    /// Most connections; 0: as the process allows.
    pub max_connections: usize,
    /// Most connections of one client IP that wait for the rest of a request.
    pub max_unanswered_per_client_ip: usize,
    /// Who may say who the client is.
    #[serde(deserialize_with = "choice::list")]
    pub trusted_proxies: Vec<String>,
}

/// Section `http`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Http {
    /// Other spellings of the paths.
    pub aliases: bool,
    /// Longest body of an application's own routes.
    pub body_limit_bytes: usize,
    /// Bytes of bodies in memory at once.
    pub body_budget_bytes: usize,
    /// For a body.
    pub body_timeout_seconds: u64,
    /// The key `reason`.
    pub error_reasons: bool,
    /// Header that brings an access token.
    pub auth_header_name: String,
    /// Schemes in it.
    #[serde(deserialize_with = "choice::list")]
    pub auth_header_types: Vec<String>,
}

/// Section `guards`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Guards {
    /// How long somebody is remembered.
    pub memory_ttl_seconds: u64,
    /// How many are.
    pub memory_capacity: usize,
    /// What they do while the invalidation feed is unavailable.
    #[serde(deserialize_with = "choice::one")]
    pub when_stale: WhenStale,
}

/// Section `database`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Database {
    /// URL; empty: SQLite in the data folder.
    pub url: Secret,
    /// SQLite in the data folder where there is no URL.
    pub embedded: bool,
    /// File that holds the URL.
    pub url_file: String,
    /// Migrate at the start.
    pub auto_migrate: bool,
    /// Most connections.
    pub pool_size: u32,
    /// For a free connection.
    pub acquire_timeout_milliseconds: u64,
    /// For one statement.
    pub statement_timeout_milliseconds: u64,
}

/// Section `secrets`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secrets {
    /// The secret of the installation.
    pub key: Secret,
    /// File that holds it.
    pub key_file: String,
    /// Files with former ones.
    #[serde(deserialize_with = "choice::list")]
    pub former_key_files: Vec<String>,
    /// Make one where none is configured.
    pub generate_key: bool,
}

/// Section `tokens`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tokens {
    /// JWA name, or `auto`.
    pub algorithm: String,
    /// Secret or private key.
    pub signing_key: Secret,
    /// File that holds it.
    pub signing_key_file: String,
    /// Make a key where none is configured.
    pub generate_key: bool,
    /// Files with further keys.
    #[serde(deserialize_with = "choice::list")]
    pub verifying_key_files: Vec<String>,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Keys of another issuer.
    pub jwks_url: String,
    /// When they are fetched anew.
    pub jwks_refresh_seconds: u64,
    /// When they are used no more.
    pub jwks_max_age_seconds: u64,
    /// Name of the claim of the kind.
    pub token_type_claim: String,
    /// Name of the claim of the id.
    pub jti_claim: String,
    /// Name of the claim of the user.
    pub user_id_claim: String,
    /// Field of the account in it.
    #[serde(deserialize_with = "choice::one")]
    pub user_id_field: UserIdField,
    /// Kinds that open guarded routes.
    #[serde(deserialize_with = "choice::list")]
    pub accepted_kinds: Vec<AcceptedKind>,
    /// Tolerance of clocks.
    pub leeway_seconds: u64,
    /// Life of an access token.
    pub access_ttl_seconds: u64,
    /// Life of a refresh token.
    pub refresh_ttl_seconds: u64,
    /// Life of a sliding token.
    pub sliding_ttl_seconds: u64,
    /// For how long it can be refreshed.
    pub sliding_refresh_ttl_seconds: u64,
    /// Name of the claim of the end of that.
    pub sliding_refresh_exp_claim: String,
    /// Answer a new refresh token.
    pub rotate_refresh_tokens: bool,
    /// Take the old one out of use.
    pub blacklist_after_rotation: bool,
    /// Life of a session; 0: endless.
    pub session_max_ttl_seconds: u64,
    /// For retries of a refresh.
    pub retry_window_seconds: u64,
    /// What a retry is answered.
    #[serde(deserialize_with = "choice::one")]
    pub on_retry: OnRetry,
    /// Claims from the account.
    #[serde(deserialize_with = "choice::list")]
    pub claims: Vec<UserClaim>,
    /// For an claims_provider of claims.
    pub claims_timeout_milliseconds: u64,
    /// Copy unknown claims.
    pub keep_custom_claims: bool,
    /// Accept tokens from elsewhere.
    pub adopt_foreign_tokens: bool,
    /// Access tokens die with their session.
    pub check_session_on_access: bool,
    /// Refuse inactive users.
    pub check_user_is_active: bool,
    /// Note logins.
    pub update_last_login: bool,
}

/// Section `passwords`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Passwords {
    /// Fewest characters.
    pub min_chars: usize,
    /// Name no password may resemble.
    pub service_name: String,
    /// Cut edge blanks.
    pub trim: bool,
    /// Argon2id memory.
    pub argon2_memory_kib: u32,
    /// Argon2id passes.
    pub argon2_iterations: u32,
    /// Argon2id lanes.
    pub argon2_parallelism: u32,
    /// Hashing threads; 0: one for each core.
    pub hash_threads: usize,
    /// Longest queue.
    pub hash_queue: usize,
}

/// Section `accounts`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Accounts {
    /// What is asked of email addresses.
    #[serde(deserialize_with = "choice::one")]
    pub email_verification: EmailVerification,
    /// Letters, digits and `@ . + - _` only.
    pub plain_usernames: bool,
    /// Letter case makes no other name.
    pub ignore_username_case: bool,
    /// Live sessions of an account; 0: any number.
    pub max_sessions: u32,
    /// Which IDs new users get.
    #[serde(deserialize_with = "choice::one")]
    pub new_user_ids: NewUserIds,
}

/// Section `second_factor`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SecondFactor {
    /// Who needs one.
    #[serde(deserialize_with = "choice::one")]
    pub required_for: RequiredFor,
}

/// Section `maintenance`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Maintenance {
    /// How often; 0: never.
    pub prune_interval_seconds: u64,
    /// Rows in one transaction.
    pub prune_batch: u32,
}

/// Section `log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Log {
    /// How records are written.
    #[serde(deserialize_with = "choice::one")]
    pub format: LogFormat,
    /// Level or directives.
    pub level: String,
}

/// A value that is shown to nobody: `Debug` and `Serialize` give a mask.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret from elsewhere.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
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
