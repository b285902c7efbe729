//! The checks: what the settings mean to the rules, or which of them cannot be.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, anyhow, bail, ensure};
use auth_core::account::UsernameRules;
use auth_core::password::PasswordPolicy;
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::TokenPolicy;
use auth_core::time::Seconds;
use auth_core::token::{ClaimRules, ProfileClaim};
use auth_crypto::Algorithm;
use auth_http::HttpSettings;

use super::{Secret, Settings, Tokens};

/// Settings that passed the checks, with their meaning.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings.
    pub settings: Settings,
    /// What to listen on.
    pub bind: SocketAddr,
    /// The algorithm of the signing key; `None`: as the key wants it.
    pub algorithm: Option<Algorithm>,
    /// The rules for tokens.
    pub tokens: TokenPolicy,
    /// The rules for new passwords.
    pub passwords: PasswordPolicy,
    /// The rules for new usernames.
    pub usernames: UsernameRules,
    /// How the wire looks.
    pub http: HttpSettings,
}

impl Checked {
    /// Checks the settings. The error is one line that names the key and what mends it.
    pub(super) fn new(mut settings: Settings) -> Result<Self> {
        settings.database.url = secret_or_file(&settings.database.url, "database.url", &settings.database.url_file)?;
        let tokens = &settings.tokens;
        let key = secret_or_file(&tokens.signing_key, "tokens.signing_key", &tokens.signing_key_file)?;
        settings.tokens.signing_key = key;
        check_numbers(&settings)?;
        ensure!(
            !settings.throttle.enabled,
            "throttle.enabled: limits of attempts are not part of this version; set it to false"
        );
        ensure!(["text", "json"].contains(&settings.log.format.as_str()), "log.format: has to be \"text\" or \"json\"");
        Ok(Self {
            bind: bind(&settings.server.bind)?,
            algorithm: algorithm(&settings.tokens.algorithm)?,
            tokens: token_policy(&settings.tokens)?,
            passwords: PasswordPolicy {
                min_chars: settings.passwords.min_chars,
                service_name: settings.passwords.service_name.clone(),
            },
            usernames: UsernameRules {
                plain_alphabet: settings.accounts.plain_usernames,
                ignore_case: settings.accounts.ignore_username_case,
            },
            http: HttpSettings {
                body_limit: settings.http.body_limit_bytes,
                body_timeout_seconds: settings.http.body_timeout_seconds,
                aliases: settings.http.aliases,
                reasons: settings.http.error_reasons,
                trim_passwords: settings.passwords.trim,
            },
            settings,
        })
    }
}

/// A secret that is given in a variable or in a file, not in both.
fn secret_or_file(given: &Secret, key: &str, path: &str) -> Result<Secret> {
    if path.is_empty() {
        return Ok(given.clone());
    }
    ensure!(given.expose().is_empty(), "{key}: is given, and {key}_file too; remove one of them");
    let text = std::fs::read_to_string(path).with_context(|| format!("{key}_file: {path} cannot be read"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    ensure!(!text.is_empty(), "{key}_file: {path} is empty");
    Ok(Secret::new(text))
}

fn check_numbers(settings: &Settings) -> Result<()> {
    let (tokens, passwords, database) = (&settings.tokens, &settings.passwords, &settings.database);
    let century = 100 * 365 * 24 * 60 * 60;
    let a_day = 24 * 60 * 60;
    for (key, value, least, most) in [
        ("tokens.access_ttl_seconds", tokens.access_ttl_seconds, 1, century),
        ("tokens.refresh_ttl_seconds", tokens.refresh_ttl_seconds, 1, century),
        ("tokens.session_max_ttl_seconds", tokens.session_max_ttl_seconds, 0, century),
        ("tokens.leeway_seconds", tokens.leeway_seconds, 0, 3_600),
        ("tokens.retry_window_seconds", tokens.retry_window_seconds, 0, 3_600),
        ("passwords.min_chars", passwords.min_chars as u64, 1, 128),
        ("passwords.argon2_memory_kib", passwords.argon2_memory_kib.into(), 8, 262_144),
        ("passwords.argon2_iterations", passwords.argon2_iterations.into(), 1, 16),
        ("passwords.argon2_parallelism", passwords.argon2_parallelism.into(), 1, 16),
        ("passwords.hash_queue", passwords.hash_queue as u64, 1, 65_536),
        ("passwords.hash_threads", passwords.hash_threads as u64, 0, 1_024),
        ("database.pool_size", database.pool_size.into(), 1, 1_024),
        ("database.acquire_timeout_milliseconds", database.acquire_timeout_milliseconds, 10, 60_000),
        ("database.statement_timeout_milliseconds", database.statement_timeout_milliseconds, 10, 600_000),
        ("http.body_limit_bytes", settings.http.body_limit_bytes as u64, 1_024, 64 << 20),
        ("http.body_timeout_seconds", settings.http.body_timeout_seconds, 1, 3_600),
        ("server.header_timeout_seconds", settings.server.header_timeout_seconds, 1, 3_600),
        ("server.shutdown_timeout_seconds", settings.server.shutdown_timeout_seconds, 0, 3_600),
        ("server.workers", settings.server.workers as u64, 0, 1_024),
        ("maintenance.prune_interval_seconds", settings.maintenance.prune_interval_seconds, 0, a_day),
        ("maintenance.prune_batch", settings.maintenance.prune_batch.into(), 1, 100_000),
    ] {
        ensure!((least..=most).contains(&value), "{key}: is {value}; has to be from {least} to {most}");
    }
    Ok(())
}

fn bind(text: &str) -> Result<SocketAddr> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    resolved.ok_or_else(|| anyhow!("server.bind: {text:?} is no address; write HOST:PORT, such as 127.0.0.1:8000"))
}

fn algorithm(name: &str) -> Result<Option<Algorithm>> {
    if name == "auto" {
        return Ok(None);
    }
    match name.parse() {
        Ok(algorithm) => Ok(Some(algorithm)),
        Err(_) => bail!("tokens.algorithm: there is no {name:?} here; config/default.toml names those there are"),
    }
}

fn token_policy(tokens: &Tokens) -> Result<TokenPolicy> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let on_retry = match tokens.on_retry.as_str() {
        "refuse" => OnRetry::Refuse,
        "replay" => OnRetry::Replay,
        other => bail!("tokens.on_retry: is {other:?}; has to be \"refuse\" or \"replay\""),
    };
    let max = tokens.session_max_ttl_seconds;
    Ok(TokenPolicy {
        access_ttl: Seconds::new(tokens.access_ttl_seconds),
        rotation: RotationPolicy {
            refresh_ttl: Seconds::new(tokens.refresh_ttl_seconds),
            retry_window: Seconds::new(tokens.retry_window_seconds),
            on_retry,
        },
        session_max_ttl: (max > 0).then_some(Seconds::new(max)),
        claim_rules: ClaimRules {
            leeway: Seconds::new(tokens.leeway_seconds),
            issuer: filled(&tokens.issuer),
            audience: filled(&tokens.audience),
        },
        profile_claims: tokens.claims.iter().map(|name| profile_claim(name)).collect::<Result<_>>()?,
        keep_custom_claims: tokens.keep_custom_claims,
        adopt_foreign_tokens: tokens.adopt_foreign_tokens,
        check_session_on_access: tokens.check_session_on_access,
        update_last_login: tokens.update_last_login,
    })
}

fn profile_claim(name: &str) -> Result<ProfileClaim> {
    ProfileClaim::ALL.into_iter().find(|claim| claim.name() == name).ok_or_else(|| {
        let names = ProfileClaim::ALL.map(ProfileClaim::name).join(", ");
        anyhow!("tokens.claims: there is no claim {name:?}; there are {names}")
    })
}
