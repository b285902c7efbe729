//! Database URLs.

use std::fmt;
use std::path::{Path, PathBuf};

/// The URL of a database. Its scheme alone selects the kind of database.
///
/// - `postgres://` or `postgresql://`: PostgreSQL, with everything that libpq understands in such a URL.
/// - `sqlite:` or `sqlite://`: the path of a file, taken literally: `sqlite:///var/lib/auth/auth.sqlite3` is absolute,
///   `sqlite://auth.sqlite3` relative to the working directory.
///
/// `Debug` and `Display` redact passwords.
///
/// ```
/// use auth_diesel::DatabaseUrl;
/// let url = DatabaseUrl::parse("postgres://auth:secret@db.example/auth").unwrap();
/// assert_eq!(url.to_string(), "postgres://auth:***@db.example/auth");
/// assert!(DatabaseUrl::parse("mysql://db.example/auth").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub(crate) Location);

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Postgres(PostgresUrl),
    Sqlite(PathBuf),
}

/// Why a string is not a database URL. The message does not repeat the string, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The string does not start with a known scheme.
    #[error("a database URL begins with postgres:// or sqlite://")]
    UnknownScheme,
    /// The host or port is not valid, or a character should have been percent-encoded.
    #[error(
        "not a valid PostgreSQL URL; in the username and password, characters other than letters, digits and -._~ must be \
         written as %XX"
    )]
    BadPostgresUrl,
    /// `sqlite:` without the path of a file, or with options after it.
    #[error("an SQLite URL must be sqlite:// followed by the path of a file, without options")]
    BadSqlitePath,
    /// An in-memory database, which each connection would have for itself.
    #[error("an SQLite database in memory is not supported; use a file")]
    InMemory,
}

impl DatabaseUrl {
    /// Parses a URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
            return PostgresUrl::parse(rest).map(|url| Self(Location::Postgres(url))).ok_or(UrlError::BadPostgresUrl);
        }
        let path = text.strip_prefix("sqlite:").ok_or(UrlError::UnknownScheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            ":memory:" => Err(UrlError::InMemory),
            _ if path.is_empty() || path.ends_with('/') || path.contains(['?', '#', '\0']) => {
                Err(UrlError::BadSqlitePath)
            }
            _ => Ok(Self(Location::Sqlite(PathBuf::from(path)))),
        }
    }

    /// Whether this is a PostgreSQL database, which replicas can share.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Location::Postgres(_))
    }

    /// The path of the file, if this is an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Location::Postgres(_) => None,
            Location::Sqlite(path) => Some(path),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Postgres(url) => write!(f, "{url}"),
            Location::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// A URL for libpq, parsed far enough to know which parts are secret.
///
/// An error message of libpq quotes the part of a URL that it cannot parse, which may contain the password; so such a
/// URL must not reach libpq.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl {
    user: Option<String>,
    password: Option<String>,
    /// Hosts, ports and the name of the database.
    target: String,
    options: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Options that apply unless the URL sets them, so that no call hangs on an unreachable server. `connect_timeout`
    /// is in seconds, and libpq raises a value below 2 to 2; `tcp_user_timeout` is in milliseconds.
    const DEFAULTS: [(&str, &str); 5] = [
        ("connect_timeout", "2"),
        ("keepalives_idle", "5"),
        ("keepalives_interval", "2"),
        ("keepalives_count", "3"),
        ("tcp_user_timeout", "3000"),
    ];

    fn parse(rest: &str) -> Option<Self> {
        if !rest.chars().all(|c| c.is_ascii_graphic() && c != '#') || !is_percent_encoded(rest) {
            return None;
        }
        let (location, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = location.split_once('/').unwrap_or((location, ""));
        let (login, hosts) = match authority.split_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        // A second @ means that the password contains one, or a slash before it: where the password ends would be a
        // guess.
        if hosts.contains('@') || path.contains('@') || !hosts.split(',').all(is_host_and_port) {
            return None;
        }
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
            None => (None, None),
        };
        let target = location.strip_prefix(login.unwrap_or_default())?.trim_start_matches('@');
        let options = options.split('&').filter(|option| !option.is_empty());
        let options: Option<Vec<_>> = options.map(|option| option.split_once('=').map(owned)).collect();
        Some(Self {
            user: user.map(ToOwned::to_owned),
            password: password.map(ToOwned::to_owned),
            target: target.to_owned(),
            options: options?,
        })
    }

    /// The URL to pass to libpq.
    pub(crate) fn for_libpq(&self) -> String {
        let missing = Self::DEFAULTS.iter().filter(|(name, _)| self.options.iter().all(|(given, _)| given != name));
        let options = self.options.iter().cloned().chain(missing.copied().map(owned));
        self.written(self.password.as_deref(), options)
    }

    /// Whether the `options` of the URL set this server setting.
    pub(crate) fn sets(&self, setting: &str) -> bool {
        self.options.iter().any(|(name, value)| name == "options" && value.contains(setting))
    }

    fn written(&self, password: Option<&str>, options: impl Iterator<Item = (String, String)>) -> String {
        let mut text = "postgres://".to_owned();
        if let Some(user) = &self.user {
            text.push_str(user);
            text.extend(password.into_iter().flat_map(|password| [":", password]));
            text.push('@');
        }
        text.push_str(&self.target);
        for (position, (name, value)) in options.enumerate() {
            text.extend([if position == 0 { "?" } else { "&" }, &name, "=", &value]);
        }
        text
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = |name: &str| name.contains("password") || name.contains("secret");
        let options = self.options.iter().cloned();
        let shown =
            options.map(|(name, value)| if is_secret(&name) { (name, "***".to_owned()) } else { (name, value) });
        f.write_str(&self.written(self.password.as_ref().map(|_| "***"), shown))
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Whether each `%` is followed by two hex digits that do not encode NUL.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.get(..2).is_some_and(|code| code.bytes().all(|b| b.is_ascii_hexdigit()) && code != "00"))
}

/// A host name or IP address, optionally with a port; IPv6 in brackets. If empty, libpq uses its default.
fn is_host_and_port(text: &str) -> bool {
    let after_address = match text.strip_prefix('[') {
        Some(address) => address.split_once(']').map(|(_, rest)| rest),
        None => Some(text.find(':').map_or("", |at| &text[at..])),
    };
    after_address.is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_the_database_by_the_scheme_alone() {
        for (text, path) in [
            ("sqlite:///var/lib/auth.db", "/var/lib/auth.db"),
            ("sqlite:/var/lib/auth.db", "/var/lib/auth.db"),
            ("sqlite://auth.db", "auth.db"),
            ("sqlite:auth.db", "auth.db"),
            ("sqlite://a b/%41.db", "a b/%41.db"),
            ("sqlite:file:x", "file:x"),
        ] {
            assert_eq!(DatabaseUrl::parse(text).unwrap().sqlite_path(), Some(Path::new(path)), "{text}");
        }
        for text in ["postgres://h/d", "postgresql://h/d", "postgres://", "postgres:///d?host=/run/postgresql"] {
            assert!(DatabaseUrl::parse(text).unwrap().is_postgres(), "{text}");
        }
        for (text, expected) in [
            ("", UrlError::UnknownScheme),
            ("auth.db", UrlError::UnknownScheme),
            ("/var/lib/auth.db", UrlError::UnknownScheme),
            ("mysql://h/d", UrlError::UnknownScheme),
            ("POSTGRES://h/d", UrlError::UnknownScheme),
            ("host=h dbname=d", UrlError::UnknownScheme),
            ("sqlite::memory:", UrlError::InMemory),
            ("sqlite://:memory:", UrlError::InMemory),
            ("sqlite:", UrlError::BadSqlitePath),
            ("sqlite://", UrlError::BadSqlitePath),
            ("sqlite:///var/lib/", UrlError::BadSqlitePath),
            ("sqlite://a.db?mode=ro", UrlError::BadSqlitePath),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn redacts_passwords() {
        for (text, shown) in [
            ("postgres://u:hunter2@h:1/d", "postgres://u:***@h:1/d"),
            ("postgresql://u:hunter2@h", "postgres://u:***@h"),
            ("postgres://:hunter2@h/d", "postgres://:***@h/d"),
            ("postgres://u:hun:ter2@h/d", "postgres://u:***@h/d"),
            ("postgres://u:hunter2%40%2F@[::1]:1,h2:2/d?a=b", "postgres://u:***@[::1]:1,h2:2/d?a=b"),
            ("postgres://u@h/d?password=hunter2&sslmode=require", "postgres://u@h/d?password=***&sslmode=require"),
            ("postgres://h/d?sslpassword=hunter2&user=u", "postgres://h/d?sslpassword=***&user=u"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres:///d", "postgres:///d"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({shown})"));
        }
    }

    #[test]
    fn refuses_ambiguous_urls_without_repeating_them() {
        for text in [
            "postgres://u:hunter2@x@h/d",
            "postgres://u:hun/ter2@h/d",
            "postgres://u:2/hunter2@h/d",
            "postgres://u:2?hunter2@h/d",
            "postgres://u:hun?ter2@h/d",
            "postgres://u:hun#ter2@h/d",
            "postgres://u:hunter2%zz@h/d",
            "postgres://u:hunter2%@h/d",
            "postgres://u:hunter2%00@h/d",
            "postgres://u:hunter2 @h/d",
            "postgres://u:hunter2@h/d\n",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@[::1/d",
        ] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            assert_eq!(error, UrlError::BadPostgresUrl, "{text}");
            assert!(!error.to_string().contains("ter2"), "{error}");
        }
    }

    #[test]
    fn adds_connection_timeouts_unless_the_url_sets_them() {
        let for_libpq = |text| match DatabaseUrl::parse(text).unwrap().0 {
            Location::Postgres(url) => url.for_libpq(),
            Location::Sqlite(_) => panic!("{text}"),
        };
        assert_eq!(
            for_libpq("postgresql://u:p%40@h:1/d"),
            "postgres://u:p%40@h:1/d?connect_timeout=2&keepalives_idle=5&keepalives_interval=2&keepalives_count=3\
             &tcp_user_timeout=3000"
        );
        assert_eq!(
            for_libpq("postgres://h?tcp_user_timeout=1&connect_timeout=9&keepalives_count=1&keepalives_idle=1"),
            "postgres://h?tcp_user_timeout=1&connect_timeout=9&keepalives_count=1&keepalives_idle=1\
             &keepalives_interval=2"
        );
    }
}
