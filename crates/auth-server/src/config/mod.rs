//! Configuration: defaults, profile, file, environment and command line, in this order; then the checks.

mod check;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use config::{Config, Environment, File, FileFormat};

pub use check::Checked;
pub use settings::*;

/// The profiles, by name.
const PROFILES: [(&str, &str); 3] = [
    ("development", include_str!("../../../../config/development.toml")),
    ("production", include_str!("../../../../config/production.toml")),
    ("simplejwt", include_str!("../../../../config/simplejwt.toml")),
];
const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name of the profile.
    pub profile: String,
    /// A file of the operator's.
    pub file: Option<PathBuf>,
    /// `server.bind`.
    pub bind: Option<String>,
    /// The environment: every variable that may matter.
    pub environment: Vec<(String, String)>,
}

/// Reads and checks the configuration. The error is one line that names the key and what mends it.
pub fn load(sources: &Sources) -> Result<Checked> {
    let settings = read(sources)?;
    Checked::new(settings)
}

fn read(sources: &Sources) -> Result<Settings> {
    let Some((_, profile)) = PROFILES.iter().find(|(name, _)| *name == sources.profile) else {
        let names = PROFILES.map(|(name, _)| name).join(", ");
        bail!("--profile: there is no profile {:?}; there are {names}", sources.profile);
    };
    let mut builder = Config::builder()
        .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
        .add_source(File::from_str(profile, FileFormat::Toml));
    if let Some(path) = &sources.file {
        builder = builder.add_source(File::from_str(&file(path)?, FileFormat::Toml));
    }
    let variable = |name: &str| sources.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    if let Some(url) = variable("DATABASE_URL") {
        builder = builder.set_override_option("database.url", Some(url.as_str()))?;
    }
    let ours = sources.environment.iter().filter(|(name, _)| name.starts_with("AUTH__")).cloned().collect();
    let environment = Environment::with_prefix("AUTH").prefix_separator("__").separator("__");
    builder = builder.add_source(environment.source(Some(ours)));
    if let Some(bind) = &sources.bind {
        builder = builder.set_override("server.bind", bind.as_str())?;
    }
    parse(builder.build().map_err(one_line)?)
}

fn file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("--config: {} cannot be read", path.display()))
}

/// Refuses keys that nobody reads: a misspelt one would be a setting that is silently not in force.
fn parse(config: Config) -> Result<Settings> {
    let mut unknown = Vec::new();
    let settings: Settings =
        serde_ignored::deserialize(config, |path| unknown.push(path.to_string())).map_err(one_line)?;
    match unknown.first() {
        None => Ok(settings),
        Some(key) => bail!("{key}: there is no such key; config/default.toml has them all"),
    }
}

fn one_line(error: config::ConfigError) -> anyhow::Error {
    anyhow!("{}", error.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests {
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
    fn every_profile_is_a_configuration() {
        for (name, _) in PROFILES {
            assert!(load_with(name, &[]).is_ok(), "{name}: {:?}", load_with(name, &[]).err());
        }
    }

    #[test]
    fn the_environment_wins_over_the_profile() {
        let checked = load_with(
            "simplejwt",
            &[
                ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "7"),
                ("AUTH__TOKENS__SIGNING_KEY", "01234567890123456789012345678901"),
                ("AUTH__TOKENS__CLAIMS", "role, username"),
                ("AUTH__HTTP__ALIASES", "true"),
                ("DATABASE_URL", "sqlite:///tmp/x"),
            ],
        );
        let settings = checked.unwrap().settings;
        assert_eq!(settings.tokens.access_ttl_seconds, 7);
        assert_eq!(settings.tokens.signing_key.expose(), "01234567890123456789012345678901");
        assert_eq!(settings.tokens.claims, ["role", "username"]);
        assert_eq!(settings.database.url.expose(), "sqlite:///tmp/x");
        assert!(settings.http.aliases);
    }

    #[test]
    fn mistakes_are_one_line_that_names_the_key() {
        for (name, value, expected) in [
            ("AUTH__TOKENS__ACESS_TTL", "7", "tokens.acess_ttl"),
            ("AUTH__NOWHERE__X", "7", "nowhere"),
            ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "soon", "access_ttl_seconds"),
            ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "0", "tokens.access_ttl_seconds"),
            ("AUTH__TOKENS__ON_RETRY", "maybe", "tokens.on_retry"),
            ("AUTH__TOKENS__CLAIMS", "email,shoe_size", "tokens.claims"),
            ("AUTH__TOKENS__ALGORITHM", "HS1", "tokens.algorithm"),
            ("AUTH__THROTTLE__ENABLED", "true", "throttle.enabled"),
            ("AUTH__LOG__FORMAT", "xml", "log.format"),
            ("AUTH__SERVER__BIND", "nowhere", "server.bind"),
            ("AUTH__DATABASE__POOL_SIZE", "0", "database.pool_size"),
        ] {
            let error = load_with("development", &[(name, value)]).err().map(|error| format!("{error:#}"));
            let error = error.unwrap_or_else(|| panic!("{name}={value} is accepted"));
            assert!(error.contains(expected) && !error.contains('\n'), "{name}={value}: {error}");
        }
        assert!(load_with("staging", &[]).is_err());
    }

    #[test]
    fn secrets_are_shown_to_nobody() {
        let secret = "0123456789-0123456789-0123456789";
        let environment = [("AUTH__TOKENS__SIGNING_KEY", secret), ("DATABASE_URL", "postgres://u:pw12345@h/d")];
        let settings = load_with("simplejwt", &environment).unwrap().settings;
        let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
        assert!(!shown.contains(secret) && !shown.contains("pw12345"), "{shown}");
    }
}
