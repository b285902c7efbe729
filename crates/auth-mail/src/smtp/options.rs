//! Options of the SMTP mailer.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_accounts::ports::MAX_SEND_TIME;

use crate::error::{Setting, SetupError};

/// Time limit for the `QUIT` command, after the email was accepted or rejected.
pub(super) const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The password for a mail server. Secret: `Debug` prints `SmtpPassword(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpPassword(String);

impl SmtpPassword {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// Returns the password in plain text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmtpPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpPassword(***)")
    }
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the start (RFC 8314 §3.3). Recommended.
    #[default]
    Implicit,
    /// TLS after the `STARTTLS` command (RFC 3207). If the server does not support it, neither the password nor the
    /// email is sent.
    StartTls,
    /// No TLS. Allowed only to a loopback address: 127.0.0.0/8, `::1` or `localhost`.
    None,
}

impl SmtpTls {
    /// Returns the standard port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// Options of an [`SmtpMailer`](crate::SmtpMailer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpOptions {
    /// Host name or IP address of the server. Its certificate must be valid for it.
    pub host: String,
    /// Port of the server; `None` for the standard port of [`tls`](Self::tls): 465 with [`SmtpTls::Implicit`], 587 with
    /// [`SmtpTls::StartTls`], 25 without TLS.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Username and password; `None` for no login.
    pub login: Option<(String, SmtpPassword)>,
    /// The domain or IP address of this client in the `EHLO` command (RFC 5321 §4.1.1.1); `None` for the host name of
    /// the machine.
    pub helo_name: Option<String>,
    /// Time limit for one email, from connecting to the final reply. More than zero, and at most [`MAX_SEND_TIME`]
    /// minus the 2 seconds for the `QUIT` command.
    pub timeout: Duration,
    /// A PEM file of certificates to trust in addition to those of the system.
    pub ca_file: Option<PathBuf>,
}

impl SmtpOptions {
    /// Creates options for a server on the standard port, without a login, with a timeout of 30 seconds.
    pub fn new(host: impl Into<String>, tls: SmtpTls) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls,
            login: None,
            helo_name: None,
            timeout: Duration::from_secs(30),
            ca_file: None,
        }
    }

    /// Checks all options but the content of [`ca_file`](Self::ca_file).
    pub(super) fn check(&self) -> Result<(), SetupError> {
        let invalid = |setting, reason: &str| Err(SetupError::new(setting, reason));
        let is_valid = |credential: &str| !credential.is_empty() && !credential.chars().any(char::is_control);
        if !is_host(&self.host) {
            return invalid(Setting::SmtpHost, "must be a host name or an IP address, without a port");
        }
        if self.tls == SmtpTls::None && !is_loopback(&self.host) {
            return invalid(Setting::SmtpTls, "none is allowed only for a loopback address: use implicit or starttls");
        }
        if self.tls == SmtpTls::None && self.ca_file.is_some() {
            return invalid(Setting::SmtpCaFile, "has no effect without TLS");
        }
        if self.login.as_ref().is_some_and(|(name, password)| !is_valid(name) || !is_valid(password.expose())) {
            return invalid(
                Setting::SmtpLogin,
                "username and password must not be empty or contain control characters",
            );
        }
        if self.helo_name.as_deref().is_some_and(|name| !is_host(name)) {
            return invalid(Setting::SmtpHeloName, "must be a domain or an IP address");
        }
        if self.timeout.is_zero() || self.timeout > MAX_SEND_TIME - QUIT_TIMEOUT {
            let max = (MAX_SEND_TIME - QUIT_TIMEOUT).as_secs();
            return invalid(Setting::SmtpTimeout, &format!("must be more than zero and at most {max} seconds"));
        }
        Ok(())
    }
}

fn is_host(host: &str) -> bool {
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    // 253 characters are the limit of 255 octets in the wire format (RFC 1035 §2.3.4).
    host.parse::<IpAddr>().is_ok() || (is_name && !host.is_empty() && host.len() <= 253)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the setting that is rejected after a change to valid options.
    fn rejected(change: impl FnOnce(&mut SmtpOptions)) -> Option<Setting> {
        let mut options = SmtpOptions::new("mail.example", SmtpTls::Implicit);
        change(&mut options);
        options.check().err().map(|error| error.setting)
    }

    #[test]
    fn requires_tls_except_to_a_loopback_address() {
        for (host, is_allowed) in [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("::1", true),
            ("localhost", true),
            ("LOCALHOST", true),
            ("mail.example", false),
            ("localhost.example", false),
            ("128.0.0.1", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("127.0.0.1.example", false),
        ] {
            let found = rejected(|options| (options.host, options.tls) = (host.to_owned(), SmtpTls::None));
            assert_eq!(found, (!is_allowed).then_some(Setting::SmtpTls), "{host}");
        }
    }

    #[test]
    fn rejects_invalid_options() {
        let login = |name: &str, password: &str| Some((name.to_owned(), SmtpPassword::new(password)));
        assert_eq!(rejected(|_| ()), None);
        for host in ["", "mail.example:25", "smtp://mail.example", "a b", "mail\r\n", "[::1]", "user@mail.example"] {
            assert_eq!(rejected(|options| options.host = host.to_owned()), Some(Setting::SmtpHost), "{host:?}");
            assert_eq!(rejected(|options| options.helo_name = Some(host.to_owned())), Some(Setting::SmtpHeloName));
        }
        for (name, password) in [("", "x"), ("x", ""), ("x\r\n", "x"), ("x", "x\r\nRCPT")] {
            assert_eq!(rejected(|options| options.login = login(name, password)), Some(Setting::SmtpLogin));
        }
        assert_eq!(rejected(|options| options.login = login("mailer@example.com", "a b\"c")), None);
        for (timeout, is_allowed) in [
            (Duration::ZERO, false),
            (Duration::from_millis(1), true),
            (MAX_SEND_TIME - QUIT_TIMEOUT, true),
            (MAX_SEND_TIME - QUIT_TIMEOUT + Duration::from_millis(1), false),
        ] {
            let found = rejected(|options| options.timeout = timeout);
            assert_eq!(found, (!is_allowed).then_some(Setting::SmtpTimeout), "{timeout:?}");
        }
        let without_tls = rejected(|options| {
            *options = SmtpOptions::new("localhost", SmtpTls::None);
            options.ca_file = Some("ca.pem".into());
        });
        assert_eq!(without_tls, Some(Setting::SmtpCaFile));
    }

    #[test]
    fn default_ports_are_the_standard_ones() {
        assert_eq!([SmtpTls::Implicit, SmtpTls::StartTls, SmtpTls::None].map(SmtpTls::port), [465, 587, 25]);
    }

    #[test]
    fn debug_shows_no_password() {
        let mut options = SmtpOptions::new("mail.example", SmtpTls::Implicit);
        options.login = Some(("mailer".to_owned(), SmtpPassword::new("hunter2")));
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
