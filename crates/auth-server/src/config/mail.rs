//! Section `mail`: how emails are delivered, and where the links in them lead.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, ensure};
use auth_accounts::email::RetryPolicy;
use auth_core::time::Seconds;
use auth_mail::{Links, Setting, SetupError, SmtpTls, check_service_name};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Secret;
use super::check::ensure_in_range;
use super::choice::{self, MailTransport};
use crate::address::reachable;

/// The domain of the default sender. No mail server would accept it, so with SMTP the operator must set another one.
const NO_DOMAIN: &str = "@localhost.localdomain";

/// Section `mail`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mail {
    /// How emails are delivered; empty: not decided yet.
    #[serde(with = "choice::optional")]
    pub transport: Option<MailTransport>,
    /// Folder for the files; empty: `mail` in the data folder.
    pub folder: String,
    /// Sender of the emails.
    pub from: String,
    /// Base URL of the links; empty: this server.
    pub base_url: String,
    /// Path of the page that asks for a new password.
    pub password_reset_path: String,
    /// Path of the page that verifies an email address.
    pub email_verification_path: String,
    /// Name of the service; empty: the host of the base URL.
    pub service_name: String,
    /// Language of the emails.
    pub language: String,
    /// Folder of templates; empty: none.
    pub templates_dir: String,
    /// The mail server.
    pub smtp_host: String,
    /// Its port; 0: the usual one.
    pub smtp_port: u16,
    /// How the connection is protected.
    #[serde(deserialize_with = "choice::one")]
    pub smtp_tls: choice::SmtpTls,
    /// Username to log in with; empty: no login.
    pub smtp_username: String,
    /// Password to log in with.
    pub smtp_password: Secret,
    /// File that holds the password.
    pub smtp_password_file: String,
    /// File of certificates that are trusted in addition to those of the system; empty: none.
    pub smtp_ca_file: String,
    /// Name that this machine gives in its greeting; empty: its host name.
    pub smtp_helo_name: String,
    /// Time limit for the delivery of one email.
    pub smtp_timeout_seconds: u64,
    /// How many attempts are made to deliver an email.
    pub max_attempts: u32,
    /// Delay between the first attempt and the second.
    pub first_retry_seconds: u64,
    /// How many emails are delivered at once.
    pub workers: usize,
}

/// How emails are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Written to files.
    Folder,
    /// Sent to a mail server over a connection with this protection.
    Smtp(SmtpTls),
    /// Not at all.
    None,
}

impl Mail {
    /// Checks the section as far as possible without reading a file. Returns `None` if no transport is configured.
    pub(super) fn check(&self, bind: SocketAddr) -> Result<Option<Transport>> {
        ensure_in_range(&[
            ("mail.max_attempts", self.max_attempts.into(), 1, 1_000),
            ("mail.first_retry_seconds", self.first_retry_seconds, 1, 3_600),
            ("mail.smtp_timeout_seconds", self.smtp_timeout_seconds, 1, 100),
            ("mail.workers", self.workers as u64, 1, 32),
        ])?;
        let transport = self.transport.map(|transport| match transport {
            MailTransport::Folder => Transport::Folder,
            MailTransport::Smtp => Transport::Smtp(self.smtp_tls.into()),
            MailTransport::None => Transport::None,
        });
        if let Some(Transport::Smtp(_)) = transport {
            self.check_smtp()?;
        }
        self.links(bind)?;
        check_service_name(&self.service_name(bind)).map_err(named)?;
        Ok(transport)
    }

    /// Checks the keys that are required only for delivery to a mail server.
    fn check_smtp(&self) -> Result<()> {
        ensure!(!self.smtp_host.is_empty(), "mail.smtp_host: is not set; set the name of the mail server");
        ensure!(
            !self.base_url.is_empty(),
            "mail.base_url: is not set; set the base URL of the links, such as https://app.example.com"
        );
        ensure!(
            !self.from.trim_end_matches('>').ends_with(NO_DOMAIN),
            "mail.from: is not set; set the sender of emails, such as Example <no-reply@example.com>"
        );
        Ok(())
    }

    /// Returns the links of a server with the bind address `address`.
    pub(crate) fn links(&self, address: SocketAddr) -> Result<Links> {
        let base_url = match self.base_url.as_str() {
            // Port 0 is replaced by a free port at startup.
            "" if address.port() == 0 => format!("http://{}", host(address)),
            "" => format!("http://{}", reachable(address)),
            configured => configured.to_owned(),
        };
        Links::new(&base_url, &self.password_reset_path, &self.email_verification_path).map_err(named)
    }

    /// Returns the name of the service; without a configured one, the host of its links.
    pub(crate) fn service_name(&self, address: SocketAddr) -> String {
        if !self.service_name.is_empty() {
            return self.service_name.clone();
        }
        match Url::parse(&self.base_url) {
            Ok(url) => url.host_str().unwrap_or_default().to_owned(),
            Err(_) => host(address),
        }
    }

    /// Returns when the delivery of an email is tried again.
    pub(crate) const fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy { max_attempts: self.max_attempts, first_delay: Seconds::new(self.first_retry_seconds) }
    }
}

/// Returns the host of a server with the bind address `address`, as written in a URL.
fn host(address: SocketAddr) -> String {
    match reachable(address) {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// Converts `error` to one that starts with the configuration key.
pub(crate) fn named(error: SetupError) -> anyhow::Error {
    let key = match error.setting {
        Setting::BaseUrl => "mail.base_url",
        Setting::PasswordResetPath => "mail.password_reset_path",
        Setting::EmailVerificationPath => "mail.email_verification_path",
        Setting::From => "mail.from",
        Setting::ServiceName => "mail.service_name",
        Setting::Language => "mail.language",
        Setting::Templates => "mail.templates_dir",
        Setting::Folder => "mail.folder",
        Setting::SmtpHost => "mail.smtp_host",
        Setting::SmtpTls => "mail.smtp_tls",
        Setting::SmtpLogin => "mail.smtp_username",
        Setting::SmtpHeloName => "mail.smtp_helo_name",
        Setting::SmtpTimeout => "mail.smtp_timeout_seconds",
        Setting::SmtpCaFile => "mail.smtp_ca_file",
        _ => "mail",
    };
    anyhow!("{key}: {}", error.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Checked, Sources, load};

    fn load_with(environment: &[(&str, &str)]) -> Result<Checked> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(owned).collect();
        load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() })
    }

    #[test]
    fn the_default_retry_policy_is_that_of_auth_accounts() {
        assert_eq!(load_with(&[]).unwrap().settings.mail.retry_policy(), RetryPolicy::default());
    }

    #[test]
    fn the_default_service_name_is_the_host_of_the_links() {
        for (name, base_url, bind, expected) in [
            ("", "", "127.0.0.1:8000", "127.0.0.1"),
            ("", "", "0.0.0.0:0", "127.0.0.1"),
            ("", "", "[::]:8000", "[::1]"),
            ("", "https://app.example", "127.0.0.1:8000", "app.example"),
            ("", "https://app.example:8443/auth/", "127.0.0.1:8000", "app.example"),
            ("", "http://[::1]/", "127.0.0.1:8000", "[::1]"),
            ("Example", "https://app.example", "127.0.0.1:8000", "Example"),
        ] {
            let environment =
                [("AUTH__MAIL__SERVICE_NAME", name), ("AUTH__MAIL__BASE_URL", base_url), ("AUTH__SERVER__BIND", bind)];
            assert_eq!(load_with(&environment).unwrap().accounts.service_name, expected, "{name:?} {base_url} {bind}");
        }
    }

    #[test]
    fn the_default_base_url_is_this_server() {
        let links = |base_url: &str| {
            let paths = ["/password-reset/confirm/?token={token}", "/email/verify/?token={token}"];
            Links::new(base_url, paths[0], paths[1]).unwrap()
        };
        let settings = load_with(&[]).unwrap().settings;
        let address = "0.0.0.0:1234".parse().unwrap();
        assert_eq!(settings.mail.links(address).unwrap(), links("http://127.0.0.1:1234"));
        let settings = load_with(&[("AUTH__MAIL__BASE_URL", "https://app.example/")]).unwrap().settings;
        assert_eq!(settings.mail.links(address).unwrap(), links("https://app.example"));
    }

    #[test]
    fn smtp_requires_the_keys_without_a_usable_default() {
        let mut environment = vec![("AUTH__MAIL__TRANSPORT", "smtp")];
        for (key, name, value) in [
            ("mail.smtp_host", "AUTH__MAIL__SMTP_HOST", "mail.example"),
            ("mail.base_url", "AUTH__MAIL__BASE_URL", "https://app.example"),
            ("mail.from", "AUTH__MAIL__FROM", "Example <no-reply@app.example>"),
        ] {
            let error = load_with(&environment).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key}: is not set; ")), "{error}");
            environment.push((name, value));
        }
        let checked = load_with(&environment).unwrap();
        assert_eq!(checked.transport, Some(Transport::Smtp(SmtpTls::StartTls)));
        assert!(checked.accounts.sends_emails);
    }

    #[test]
    fn the_transport_none_refuses_settings_that_require_emails() {
        let off = ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off");
        let none = ("AUTH__MAIL__TRANSPORT", "none");
        assert!(!load_with(&[none, off]).unwrap().accounts.sends_emails);
        for (name, value) in [
            ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "required"),
            ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional"),
            ("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff"),
            ("AUTH__SECOND_FACTOR__REQUIRED_FOR", "all"),
        ] {
            let error = load_with(&[none, off, (name, value)]).unwrap_err().to_string();
            assert!(error.contains("mail.transport is \"none\"") && !error.contains('\n'), "{error}");
        }
    }
}
