//! The checks: converts the settings to the types of the services, or refuses them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use auth_accounts::password::PasswordPolicy;
use auth_accounts::service::AccountPolicy;
use auth_core::auth_cache::AuthCachePolicy;
use auth_core::rotation::{OnRefresh, RotationPolicy};
use auth_core::service::{SlidingPolicy, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{ClaimNames, ClaimRules, CustomClaims, ProfileClaim, RequiredFor, TokenKind};
use auth_crypto::{Algorithm, Argon2Cost};
use auth_http::body::{BodyBudget, OWN_BODY_LIMIT};
use auth_http::{CredentialHeader, CredentialHeaderError, HttpSettings, Rate, TrustedProxies};
use url::Url;

use super::accounts::check_requires_emails;
use super::mail::Transport;
use super::{Http, Passwords, Secret, Settings, Tokens};
use crate::jwks;

/// Checked settings, with the types that the services take.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings.
    pub settings: Settings,
    /// The name of the profile.
    pub profile: String,
    /// The bind address.
    pub bind: SocketAddr,
    /// The signing algorithm; `None`: chosen by the key.
    pub algorithm: Option<Algorithm>,
    /// The cost of new password hashes.
    pub password_cost: Argon2Cost,
    /// The token policy.
    pub tokens: TokenPolicy,
    /// The account policy.
    pub accounts: AccountPolicy,
    /// How emails are delivered; `None`: not configured, so nothing that could send an email starts.
    pub transport: Option<Transport>,
    /// Claims taken from the account.
    pub claims: Vec<ProfileClaim>,
    /// URL of the JWK set of another issuer; `None`: no other issuer is accepted.
    pub jwks_url: Option<Url>,
    /// The auth cache of guarded routes.
    pub auth_cache: AuthCachePolicy,
    /// The rate limit for requests without credentials; `None`: no limit.
    pub anonymous_rate: Option<Rate>,
    /// Settings of requests and responses.
    pub http: HttpSettings,
}

impl Checked {
    /// Checks the settings. The error is one line that names the key and the remedy.
    pub(super) fn new(mut settings: Settings, profile: &str) -> Result<Self> {
        read_secrets(&mut settings)?;
        check_numbers(&settings)?;
        let bind = bind(&settings.server.bind)?;
        let transport = settings.mail.check(bind)?;
        let accounts = account_policy(&settings, bind, transport)?;
        Ok(Self {
            bind,
            profile: profile.to_owned(),
            algorithm: algorithm(&settings.tokens.algorithm)?,
            password_cost: password_cost(&settings.passwords)?,
            tokens: TokenPolicy {
                max_sessions: NonZeroU32::new(settings.accounts.max_sessions),
                ..token_policy(&settings.tokens, settings.second_factor.required_for.into())?
            },
            accounts,
            transport,
            claims: claims(&settings.tokens)?,
            jwks_url: jwks_url(&settings.tokens.jwks_url)?,
            auth_cache: auth_cache_policy(&settings)?,
            anonymous_rate: settings.throttle.anonymous_rate()?,
            http: http_settings(&settings)?,
            settings,
        })
    }
}

/// Reads the secrets that are configured as files.
fn read_secrets(settings: &mut Settings) -> Result<()> {
    let (database, secrets, tokens, mail) =
        (&mut settings.database, &mut settings.secrets, &mut settings.tokens, &mut settings.mail);
    database.url = secret_or_file(&database.url, "database.url", &database.url_file)?;
    secrets.key = secret_or_file(&secrets.key, "secrets.key", &secrets.key_file)?;
    tokens.signing_key = secret_or_file(&tokens.signing_key, "tokens.signing_key", &tokens.signing_key_file)?;
    mail.smtp_password = secret_or_file(&mail.smtp_password, "mail.smtp_password", &mail.smtp_password_file)?;
    Ok(())
}

/// Returns a secret that is set by value or by file, but not by both.
fn secret_or_file(given: &Secret, key: &str, path: &str) -> Result<Secret> {
    if path.is_empty() {
        return Ok(given.clone());
    }
    ensure!(given.expose().is_empty(), "{key}: is set together with {key}_file; remove one of them");
    let secret = std::fs::read_to_string(path).with_context(|| format!("{key}_file: {path} cannot be read"))?;
    let secret = secret.trim_end_matches(['\r', '\n']);
    ensure!(!secret.is_empty(), "{key}_file: {path} is empty");
    Ok(Secret::new(secret))
}

fn check_numbers(settings: &Settings) -> Result<()> {
    let (tokens, passwords, database) = (&settings.tokens, &settings.passwords, &settings.database);
    let century = 100 * 365 * 24 * 60 * 60;
    let a_day = 24 * 60 * 60;
    ensure_in_range(&[
        ("tokens.access_ttl_seconds", tokens.access_ttl_seconds, 1, century),
        ("tokens.refresh_ttl_seconds", tokens.refresh_ttl_seconds, 1, century),
        ("tokens.sliding_ttl_seconds", tokens.sliding_ttl_seconds, 1, century),
        ("tokens.sliding_refresh_ttl_seconds", tokens.sliding_refresh_ttl_seconds, 1, century),
        ("tokens.claims_timeout_milliseconds", tokens.claims_timeout_milliseconds, 1, 60_000),
        ("tokens.jwks_refresh_seconds", tokens.jwks_refresh_seconds, 1, a_day),
        ("tokens.jwks_max_age_seconds", tokens.jwks_max_age_seconds, tokens.jwks_refresh_seconds, 30 * a_day),
        ("guards.cache_ttl_seconds", settings.guards.cache_ttl_seconds, 0, a_day),
        ("guards.cache_capacity", settings.guards.cache_capacity as u64, 1, 10_000_000),
        ("tokens.session_max_ttl_seconds", tokens.session_max_ttl_seconds, 0, century),
        ("tokens.leeway_seconds", tokens.leeway_seconds, 0, 3_600),
        ("tokens.retry_window_seconds", tokens.retry_window_seconds, 0, 3_600),
        ("accounts.max_sessions", settings.accounts.max_sessions.into(), 0, 1_000_000),
        ("passwords.min_chars", passwords.min_chars as u64, 1, 128),
        ("passwords.hash_queue", passwords.hash_queue as u64, 1, 65_536),
        ("passwords.hash_threads", passwords.hash_threads as u64, 0, 1_024),
        ("database.pool_size", database.pool_size.into(), 1, 1_024),
        ("database.acquire_timeout_milliseconds", database.acquire_timeout_milliseconds, 10, 60_000),
        ("database.statement_timeout_milliseconds", database.statement_timeout_milliseconds, 10, 600_000),
        ("http.body_limit_bytes", settings.http.body_limit_bytes as u64, 1_024, 64 << 20),
        ("http.body_budget_bytes", settings.http.body_budget_bytes as u64, least_budget(&settings.http), 1 << 40),
        ("http.body_timeout_seconds", settings.http.body_timeout_seconds, 1, 3_600),
        ("server.header_timeout_seconds", settings.server.header_timeout_seconds, 1, 3_600),
        ("server.keep_alive_seconds", settings.server.keep_alive_seconds, 1, 3_600),
        ("server.idle_timeout_seconds", settings.server.idle_timeout_seconds, 1, 3_600),
        ("server.max_connections", settings.server.max_connections as u64, 0, 1_000_000),
        ("server.max_unanswered_per_client_ip", settings.server.max_unanswered_per_client_ip as u64, 1, 1_000_000),
        ("server.shutdown_timeout_seconds", settings.server.shutdown_timeout_seconds, 0, 3_600),
        ("server.workers", settings.server.workers as u64, 0, 1_024),
        ("maintenance.prune_interval_seconds", settings.maintenance.prune_interval_seconds, 0, a_day),
        ("maintenance.prune_batch", settings.maintenance.prune_batch.into(), 1, 100_000),
    ])
}

/// Smallest budget in which one body of the greatest length fits into the three quarters that long bodies may use.
fn least_budget(http: &Http) -> u64 {
    (http.body_limit_bytes.max(OWN_BODY_LIMIT) as u64).saturating_mul(2)
}

/// Refuses a number that is out of range. Each row: key, value, minimum, maximum.
pub(super) fn ensure_in_range(numbers: &[(&str, u64, u64, u64)]) -> Result<()> {
    for (key, value, least, most) in numbers {
        ensure!((least..=most).contains(&value), "{key}: is {value}; must be from {least} to {most}");
    }
    Ok(())
}

fn bind(address: &str) -> Result<SocketAddr> {
    let resolved = address.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    resolved
        .ok_or_else(|| anyhow!("server.bind: {address:?} is not a bind address; use HOST:PORT, such as 127.0.0.1:8000"))
}

fn account_policy(settings: &Settings, bind: SocketAddr, transport: Option<Transport>) -> Result<AccountPolicy> {
    let policy = AccountPolicy {
        sends_emails: matches!(transport, Some(Transport::Folder | Transport::Smtp(_))),
        email_verification: settings.accounts.email_verification.into(),
        throttle: settings.throttle.policy()?,
        passwords: PasswordPolicy {
            min_chars: settings.passwords.min_chars,
            service_name: settings.passwords.service_name.clone(),
        },
        usernames: settings.accounts.usernames(),
        new_user_ids: settings.accounts.new_user_ids.into(),
        service_name: settings.mail.service_name(bind),
    };
    check_requires_emails(&policy, settings.second_factor.required_for.into(), transport)?;
    Ok(policy)
}

fn password_cost(passwords: &Passwords) -> Result<Argon2Cost> {
    let (memory, passes, lanes) =
        (passwords.argon2_memory_kib, passwords.argon2_iterations, passwords.argon2_parallelism);
    Argon2Cost::new(memory, passes, lanes).map_err(|error| {
        anyhow!(
            "passwords.argon2_memory_kib, argon2_iterations, argon2_parallelism: are {memory}, {passes}, {lanes}; {error}"
        )
    })
}

fn algorithm(name: &str) -> Result<Option<Algorithm>> {
    if name == "auto" {
        return Ok(None);
    }
    match name.parse() {
        Ok(algorithm) => Ok(Some(algorithm)),
        Err(_) => {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            bail!("tokens.algorithm: is {name:?}; must be auto or one of {names}")
        }
    }
}

fn jwks_url(text: &str) -> Result<Option<Url>> {
    if text.is_empty() {
        return Ok(None);
    }
    jwks::safe_url(text).map(Some).ok_or_else(|| anyhow!("tokens.jwks_url: must be {}", jwks::SAFE_URL))
}

fn on_refresh(tokens: &Tokens) -> OnRefresh {
    match (tokens.rotate_refresh_tokens, tokens.blacklist_after_rotation) {
        (true, true) => OnRefresh::Rotate,
        (true, false) => OnRefresh::KeepAndRotate,
        // As in SimpleJWT, a refresh token that is not rotated is not blacklisted either.
        (false, _) => OnRefresh::Keep,
    }
}

fn token_policy(tokens: &Tokens, multi_factor_required_for: RequiredFor) -> Result<TokenPolicy> {
    let max = tokens.session_max_ttl_seconds;
    Ok(TokenPolicy {
        access_ttl: Seconds::new(tokens.access_ttl_seconds),
        rotation: RotationPolicy {
            refresh_ttl: Seconds::new(tokens.refresh_ttl_seconds),
            retry_window: Seconds::new(tokens.retry_window_seconds),
            on_retry: tokens.on_retry.into(),
            on_refresh: on_refresh(tokens),
        },
        session_max_ttl: (max > 0).then_some(Seconds::new(max)),
        claim_rules: claim_rules(tokens)?,
        claims_timeout: Duration::from_millis(tokens.claims_timeout_milliseconds),
        keep_custom_claims: tokens.keep_custom_claims,
        adopt_external_tokens: tokens.adopt_foreign_tokens,
        check_session_on_access: tokens.check_session_on_access,
        check_user_is_active: tokens.check_user_is_active,
        update_last_login: tokens.update_last_login,
        accepted_kinds: accepted_kinds(tokens)?,
        max_sessions: None,
        sliding: SlidingPolicy {
            ttl: Seconds::new(tokens.sliding_ttl_seconds),
            refresh_ttl: Seconds::new(tokens.sliding_refresh_ttl_seconds),
        },
        multi_factor_required_for,
    })
}

fn claim_rules(tokens: &Tokens) -> Result<ClaimRules> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let names = ClaimNames::new(
        &tokens.token_type_claim,
        &tokens.jti_claim,
        &tokens.user_id_claim,
        &tokens.sliding_refresh_exp_claim,
    );
    Ok(ClaimRules {
        leeway: Seconds::new(tokens.leeway_seconds),
        issuer: filled(&tokens.issuer),
        audience: filled(&tokens.audience),
        names: names.map_err(|clash| {
            anyhow!("tokens: {clash}; see token_type_claim, jti_claim, user_id_claim and sliding_refresh_exp_claim")
        })?,
        subject_field: tokens.user_id_field.into(),
    })
}

fn accepted_kinds(tokens: &Tokens) -> Result<Vec<TokenKind>> {
    match tokens.accepted_kinds.as_slice() {
        [one] => Ok(vec![(*one).into()]),
        [one, other] if one != other => Ok(vec![(*one).into(), (*other).into()]),
        _ => bail!("tokens.accepted_kinds: must be access, sliding or both"),
    }
}

/// Returns the claims taken from the account. None may have the name of another claim.
fn claims(tokens: &Tokens) -> Result<Vec<ProfileClaim>> {
    let names = claim_rules(tokens)?.names;
    let claims: Vec<_> = tokens.claims.iter().copied().map(ProfileClaim::from).collect();
    for claim in &claims {
        let inserted = CustomClaims::new(names.clone()).insert(claim.name(), "");
        inserted.map_err(|error| anyhow!("tokens.claims: {error}; rename that claim, or remove this one"))?;
    }
    Ok(claims)
}

fn http_settings(settings: &Settings) -> Result<HttpSettings> {
    let proxies = TrustedProxies::parse(&settings.server.trusted_proxies);
    Ok(HttpSettings {
        body_limit: settings.http.body_limit_bytes,
        body_budget: BodyBudget::new(settings.http.body_budget_bytes),
        body_timeout_seconds: settings.http.body_timeout_seconds,
        reasons: settings.http.error_reasons,
        trim_passwords: settings.passwords.trim,
        credentials: credentials(&settings.http)?,
        trusted_proxies: proxies.map_err(|error| anyhow!("server.trusted_proxies: {error}"))?,
    })
}

fn credentials(http: &Http) -> Result<CredentialHeader> {
    CredentialHeader::new(&http.auth_header_name, http.auth_header_types.iter().cloned()).map_err(|error| match error {
        CredentialHeaderError::BadName => anyhow!("http.auth_header_name: {:?} is {error}", http.auth_header_name),
        _ => anyhow!("http.auth_header_types: {:?} is {error}", http.auth_header_types),
    })
}

fn auth_cache_policy(settings: &Settings) -> Result<AuthCachePolicy> {
    let guards = &settings.guards;
    Ok(AuthCachePolicy {
        ttl: Seconds::new(guards.cache_ttl_seconds),
        capacity: NonZeroUsize::new(guards.cache_capacity).context("guards.cache_capacity: is 0")?,
        when_stale: guards.when_stale.into(),
    })
}
