//! The configuration: defaults, profile, file, environment and command line, where later sources win; then the checks.

mod accounts;
mod check;
pub mod choice;
mod mail;
mod settings;
pub mod simplejwt;
mod throttle;
mod warnings;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use config::{Config, ConfigError, Environment, File, FileFormat};

pub use check::Checked;
use choice::not_allowed;
pub use mail::Transport;
pub(crate) use mail::named;
pub use settings::*;

/// The profiles, by name.
const PROFILES: [(&str, &str); 3] = [
    ("development", include_str!("../../../../config/development.toml")),
    ("production", include_str!("../../../../config/production.toml")),
    ("simplejwt", include_str!("../../../../config/simplejwt.toml")),
];
const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// The sources of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name of the profile.
    pub profile: String,
    /// Configuration file (`--config`).
    pub file: Option<PathBuf>,
    /// Value for `server.bind` (`--bind`).
    pub bind: Option<String>,
    /// Environment variables: `DATABASE_URL` and those that begin with `AUTH__`.
    pub environment: Vec<(String, String)>,
}

/// Reads and checks the configuration.
///
/// # Errors
/// If a source cannot be read or a setting is refused: one line that names the key and the remedy.
pub fn load(sources: &Sources) -> Result<Checked> {
    let settings = read(sources)?;
    Checked::new(settings, &sources.profile)
}

fn read(sources: &Sources) -> Result<Settings> {
    let Some((_, profile)) = PROFILES.iter().find(|(name, _)| *name == sources.profile) else {
        let names = PROFILES.map(|(name, _)| name).join(", ");
        bail!("--profile: unknown profile {:?}; use one of {names}", sources.profile);
    };
    let mut builder = Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(profile, FileFormat::Toml));
    if let Some(path) = &sources.file {
        // Serialized again, because a `Config` built from the table would lose its empty lists.
        builder = builder.add_source(File::from_str(&file(path)?.to_string(), FileFormat::Toml));
    }
    let variable = |name: &str| sources.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    // AUTH__DATABASE__URL is more specific, so it wins.
    if let Some(url) = variable("DATABASE_URL").filter(|_| variable("AUTH__DATABASE__URL").is_none()) {
        builder = builder.set_override("database.url", url.as_str()).map_err(|error| one_line(&error))?;
    }
    let variables = sources.environment.iter().filter(|(name, _)| name.starts_with("AUTH__")).cloned().collect();
    let environment = Environment::with_prefix("AUTH").prefix_separator("__").separator("__");
    builder = builder.add_source(environment.source(Some(variables)));
    if let Some(bind) = &sources.bind {
        builder = builder.set_override("server.bind", bind.as_str()).map_err(|error| one_line(&error))?;
    }
    parse(builder.build().map_err(|error| one_line(&error))?)
}

/// Reads the configuration file. An error gives the line but not its content, which may be secret.
fn file(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("--config: {} cannot be read", path.display()))?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow!("--config: {} is not valid TOML at line {line}", path.display())
    })
}

/// Deserializes the settings and refuses unknown keys, because a misspelt key would silently have no effect.
fn parse(config: Config) -> Result<Settings> {
    let mut unknown = Vec::new();
    let settings: Settings =
        serde_ignored::deserialize(config, |path| unknown.push(path.to_string())).map_err(|error| one_line(&error))?;
    match unknown.first() {
        None => Ok(settings),
        Some(key) => bail!("{key}: unknown key; config/default.toml lists them all"),
    }
}

/// Converts an error to one line without the refused value, which may be secret.
fn one_line(error: &ConfigError) -> anyhow::Error {
    match error {
        ConfigError::At { error, key: None, .. } => one_line(error),
        ConfigError::At { error, key: Some(key), .. } => match one_line(error).to_string() {
            text if text.starts_with(key.as_str()) => anyhow!("{text}"),
            text => anyhow!("{key}: {text}"),
        },
        ConfigError::Type { expected, key, .. } => {
            let key = key.as_deref().map(|key| format!("{key}: ")).unwrap_or_default();
            anyhow!("{key}must be {expected}")
        }
        ConfigError::NotFound(key) => anyhow!("{key}: is missing"),
        // The value may be shown, because a key with a fixed set of values is not secret.
        ConfigError::Message(message) if let Some(refusal) = not_allowed(message) => anyhow!("{refusal}"),
        _ => anyhow!("the value of a key is not valid"),
    }
}

#[cfg(test)]
mod tests {
    use super::choice::UserClaim;
    use super::*;

    fn load_with(profile: &str, environment: &[(&str, &str)]) -> Result<Checked> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        load(&Sources {
            profile: profile.to_owned(),
            environment: environment.iter().map(owned).collect(),
            ..Sources::default()
        })
    }

    #[test]
    fn the_error_of_a_malformed_file_gives_the_line_and_not_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.toml");
        std::fs::write(&path, "[tokens]\nsigning_key = \"a-secret-without-its-quote\n").unwrap();
        let error =
            load(&Sources { profile: "development".into(), file: Some(path), ..Sources::default() }).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("line 2") && !error.contains("a-secret") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn an_empty_list_in_a_file_replaces_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.toml");
        std::fs::write(&path, "[tokens]\nclaims = []\n").unwrap();
        let sources = Sources { profile: "simplejwt".into(), file: Some(path), ..Sources::default() };
        assert_eq!(load(&sources).unwrap().settings.tokens.claims, []);
    }

    #[test]
    fn every_profile_passes_the_checks() {
        for (name, _) in PROFILES {
            assert!(load_with(name, &[]).is_ok(), "{name}: {:?}", load_with(name, &[]).err());
        }
    }

    #[test]
    fn the_keep_alive_time_exceeds_the_idle_timeout_of_load_balancers() {
        for (name, _) in PROFILES {
            assert_eq!(load_with(name, &[]).unwrap().settings.server.keep_alive_seconds, 75, "{name}");
        }
    }

    #[test]
    fn the_environment_overrides_the_profile() {
        let checked = load_with(
            "simplejwt",
            &[
                ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "7"),
                ("AUTH__TOKENS__SIGNING_KEY", "01234567890123456789012345678901"),
                ("AUTH__TOKENS__CLAIMS", "role, username"),
                ("AUTH__HTTP__ALIASES", "true"),
                ("AUTH__HTTP__BODY_LIMIT_BYTES", "2048"),
                ("DATABASE_URL", "sqlite:///tmp/x"),
            ],
        );
        let Checked { settings, http, .. } = checked.unwrap();
        assert_eq!(http.body_limit, 2_048);
        assert_eq!(settings.tokens.access_ttl_seconds, 7);
        assert_eq!(settings.tokens.signing_key.expose(), "01234567890123456789012345678901");
        assert_eq!(settings.tokens.claims, [UserClaim::Role, UserClaim::Username]);
        assert_eq!(settings.database.url.expose(), "sqlite:///tmp/x");
        assert!(settings.http.aliases);
    }

    #[test]
    fn an_error_is_one_line_that_names_the_key() {
        for (name, value, expected) in [
            ("AUTH__TOKENS__ACESS_TTL", "7", "tokens.acess_ttl"),
            ("AUTH__NOWHERE__X", "7", "nowhere"),
            ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "soon", "access_ttl_seconds"),
            ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "0", "tokens.access_ttl_seconds"),
            ("AUTH__TOKENS__ON_RETRY", "maybe", "tokens.on_retry"),
            ("AUTH__TOKENS__CLAIMS", "email,shoe_size", "tokens.claims"),
            ("AUTH__TOKENS__ALGORITHM", "HS1", "tokens.algorithm"),
            ("AUTH__THROTTLE__ENABLED", "perhaps", "throttle.enabled"),
            ("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "0", "throttle.password_free_attempts"),
            ("AUTH__THROTTLE__PASSWORD_LONGEST_DELAY_SECONDS", "0", "throttle.password_longest_delay_seconds"),
            ("AUTH__THROTTLE__EMAILS_PER_ACCOUNT_PER_HOUR", "0", "throttle.emails_per_account_per_hour"),
            ("AUTH__LOG__FORMAT", "xml", "log.format"),
            ("AUTH__SERVER__BIND", "nowhere", "server.bind"),
            ("AUTH__SERVER__KEEP_ALIVE_SECONDS", "0", "server.keep_alive_seconds"),
            ("AUTH__SERVER__KEEP_ALIVE_SECONDS", "3601", "server.keep_alive_seconds"),
            ("AUTH__SERVER__IDLE_TIMEOUT_SECONDS", "0", "server.idle_timeout_seconds"),
            ("AUTH__SERVER__MAX_CONNECTIONS", "1000001", "server.max_connections"),
            ("AUTH__SERVER__MAX_UNANSWERED_PER_CLIENT_IP", "0", "server.max_unanswered_per_client_ip"),
            ("AUTH__DATABASE__POOL_SIZE", "0", "database.pool_size"),
            ("AUTH__HTTP__BODY_BUDGET_BYTES", "131071", "http.body_budget_bytes"),
            ("AUTH__TOKENS__USER_ID_CLAIM", "exp", "user_id_claim"),
            ("AUTH__TOKENS__ACCEPTED_KINDS", "refresh", "tokens.accepted_kinds"),
            ("AUTH__TOKENS__USER_ID_FIELD", "shoe_size", "tokens.user_id_field"),
            ("AUTH__TOKENS__JWKS_URL", "http://issuer.example/", "tokens.jwks_url"),
            ("AUTH__HTTP__AUTH_HEADER_NAME", "Cookie", "http.auth_header_name"),
            ("AUTH__HTTP__AUTH_HEADER_TYPES", "", "http.auth_header_types"),
            ("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "7", "passwords.argon2_memory_kib"),
            ("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "262145", "passwords.argon2_memory_kib"),
            ("AUTH__PASSWORDS__ARGON2_ITERATIONS", "17", "argon2_iterations"),
            ("AUTH__PASSWORDS__ARGON2_PARALLELISM", "0", "argon2_parallelism"),
            ("AUTH__GUARDS__WHEN_STALE", "shrug", "guards.when_stale"),
            ("AUTH__GUARDS__CACHE_CAPACITY", "0", "guards.cache_capacity"),
            ("AUTH__THROTTLE__ANONYMOUS", "often", "throttle.anonymous"),
            ("AUTH__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, proxy.example", "server.trusted_proxies: \"proxy.example\""),
            (
                "AUTH__SERVER__TRUSTED_PROXIES",
                "0.0.0.0/0",
                "server.trusted_proxies: \"0.0.0.0/0\" contains every address",
            ),
            ("AUTH__SECRETS__KEY_FILE", "/nowhere/key", "secrets.key_file"),
            ("AUTH__MAIL__TRANSPORT", "pigeon", "mail.transport"),
            ("AUTH__MAIL__TRANSPORT", "smtp", "mail.smtp_host"),
            ("AUTH__MAIL__TRANSPORT", "none", "accounts.email_verification"),
            ("AUTH__MAIL__BASE_URL", "app.example", "mail.base_url"),
            ("AUTH__MAIL__PASSWORD_RESET_PATH", "/reset/", "mail.password_reset_path"),
            ("AUTH__MAIL__EMAIL_VERIFICATION_PATH", "{token}", "mail.email_verification_path"),
            ("AUTH__MAIL__SERVICE_NAME", "two\nlines", "mail.service_name"),
            ("AUTH__MAIL__SERVICE_NAME", "right\u{202e}left", "mail.service_name"),
            ("AUTH__MAIL__SMTP_PORT", "65536", "mail.smtp_port"),
            ("AUTH__MAIL__SMTP_TLS", "always", "mail.smtp_tls"),
            ("AUTH__MAIL__SMTP_PASSWORD_FILE", "/nowhere/password", "mail.smtp_password_file"),
            ("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "101", "mail.smtp_timeout_seconds"),
            ("AUTH__MAIL__MAX_ATTEMPTS", "0", "mail.max_attempts"),
            ("AUTH__MAIL__WORKERS", "33", "mail.workers"),
            ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "maybe", "accounts.email_verification"),
            ("AUTH__SECOND_FACTOR__REQUIRED_FOR", "some", "second_factor.required_for"),
            ("AUTH__TOKENS", "a-secret-in-the-wrong-place", "tokens"),
        ] {
            let error = load_with("development", &[(name, value)]).err().map(|error| format!("{error:#}"));
            let error = error.unwrap_or_else(|| panic!("{name}={value} is accepted"));
            assert!(error.contains(expected) && !error.contains('\n'), "{name}={value}: {error}");
            assert!(!error.contains("a-secret"), "{error}");
        }
        assert!(load_with("staging", &[]).is_err());
    }

    #[test]
    fn refuses_claims_with_the_same_name() {
        for (name, value) in [("USER_ID_CLAIM", "email"), ("TOKEN_TYPE_CLAIM", "role"), ("JTI_CLAIM", "email")] {
            let error = load_with("simplejwt", &[(&format!("AUTH__TOKENS__{name}"), value)]).err();
            let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.starts_with("tokens.claims: ") && error.contains(value), "{name}={value}: {error}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        let secret = "0123456789-0123456789-0123456789";
        let environment = [
            ("AUTH__TOKENS__SIGNING_KEY", secret),
            ("AUTH__SECRETS__KEY", secret),
            ("AUTH__MAIL__SMTP_PASSWORD", "pw12345"),
            ("DATABASE_URL", "postgres://u:pw12345@h/d"),
        ];
        let settings = load_with("simplejwt", &environment).unwrap().settings;
        let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
        assert!(!shown.contains(secret) && !shown.contains("pw12345"), "{shown}");
    }
}
