//! Which mail server, and how to talk to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth_accounts::ports::MAX_SEND_TIME;

use crate::error::{Setting, SetupError};

/// How long the farewell may take, after the mail has been taken or refused.
pub(super) const QUIT_TIME: Duration = Duration::from_secs(2);

/// The password for a mail server. Secret: its `Debug` prints `SmtpPassword(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpPassword(String);

impl SmtpPassword {
    /// The password with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmtpPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpPassword(***)")
    }
}

/// How the way to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte on (RFC 8314 §3.3): to be preferred.
    #[default]
    Implicit,
    /// TLS after a few lines in the open (RFC 3207). A server that does not offer it gets no mail and no password.
    StartTls,
    /// None. Only to this machine: 127.0.0.0/8, `::1` or `localhost`.
    None,
}

impl SmtpTls {
    /// The port that is usual for it.
    pub const fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// How to reach a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpOptions {
    /// Its name or address. Its certificate must be for this one.
    pub host: String,
    /// Its port; `None`: 465 with [`SmtpTls::Implicit`], 587 with [`SmtpTls::StartTls`], 25 without TLS.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Name and password to log in with; `None`: no login.
    pub login: Option<(String, SmtpPassword)>,
    /// What this machine calls itself (RFC 5321 §4.1.1.1): a domain or an address; `None`: its host name.
    pub helo_name: Option<String>,
    /// How long one mail may take from the connection to the answer; more than nothing, and 2 seconds (for the farewell) less
    /// than [`MAX_SEND_TIME`] at most.
    pub timeout: Duration,
    /// A file of certificates (PEM) that are trusted as well as those of the system.
    pub ca_file: Option<PathBuf>,
}

impl SmtpOptions {
    /// A server on the usual port, without a login, with 30 seconds for each mail.
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

    pub(super) fn check(&self) -> Result<(), SetupError> {
        let wrong = |setting, why: &str| Err(SetupError::new(setting, why));
        let is_visible = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        if !is_host(&self.host) {
            return wrong(Setting::SmtpHost, "must be a name or an address, without a port");
        }
        if self.tls == SmtpTls::None && !is_loopback(&self.host) {
            return wrong(Setting::SmtpTls, "mail goes unprotected to this machine only: use implicit or starttls");
        }
        if self.tls == SmtpTls::None && self.ca_file.is_some() {
            return wrong(Setting::SmtpCaFile, "is of no use without TLS");
        }
        if self.login.as_ref().is_some_and(|(name, password)| !is_visible(name) || !is_visible(password.expose())) {
            return wrong(Setting::SmtpLogin, "neither name nor password may be empty or have control characters");
        }
        if self.helo_name.as_deref().is_some_and(|name| !is_host(name)) {
            return wrong(Setting::SmtpHeloName, "must be a domain or an address");
        }
        if self.timeout.is_zero() || self.timeout > MAX_SEND_TIME - QUIT_TIME {
            let most = (MAX_SEND_TIME - QUIT_TIME).as_secs();
            return wrong(Setting::SmtpTimeout, &format!("must be more than nothing and at most {most} seconds"));
        }
        Ok(())
    }
}

fn is_host(text: &str) -> bool {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    text.parse::<IpAddr>().is_ok() || (is_name && !text.is_empty() && text.len() <= 253)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut SmtpOptions)) -> Option<Setting> {
        let mut options = SmtpOptions::new("mail.example", SmtpTls::Implicit);
        change(&mut options);
        options.check().err().map(|error| error.setting)
    }

    #[test]
    fn nothing_goes_unprotected_to_another_machine() {
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
            let found = wrong(|options| (options.host, options.tls) = (host.to_owned(), SmtpTls::None));
            assert_eq!(found, (!is_allowed).then_some(Setting::SmtpTls), "{host}");
        }
    }

    #[test]
    fn each_option_is_checked() {
        let login = |name: &str, password: &str| Some((name.to_owned(), SmtpPassword::new(password)));
        assert_eq!(wrong(|_| ()), None);
        for host in ["", "mail.example:25", "smtp://mail.example", "a b", "mail\r\n", "[::1]", "user@mail.example"] {
            assert_eq!(wrong(|options| options.host = host.to_owned()), Some(Setting::SmtpHost), "{host:?}");
            assert_eq!(wrong(|options| options.helo_name = Some(host.to_owned())), Some(Setting::SmtpHeloName));
        }
        for (name, password) in [("", "x"), ("x", ""), ("x\r\n", "x"), ("x", "x\r\nRCPT")] {
            assert_eq!(wrong(|options| options.login = login(name, password)), Some(Setting::SmtpLogin));
        }
        assert_eq!(wrong(|options| options.login = login("mailer@example.com", "a b\"c")), None);
        for (timeout, is_allowed) in [
            (Duration::ZERO, false),
            (Duration::from_millis(1), true),
            (MAX_SEND_TIME - QUIT_TIME, true),
            (MAX_SEND_TIME - QUIT_TIME + Duration::from_millis(1), false),
        ] {
            let found = wrong(|options| options.timeout = timeout);
            assert_eq!(found, (!is_allowed).then_some(Setting::SmtpTimeout), "{timeout:?}");
        }
        let unused = wrong(|options| {
            *options = SmtpOptions::new("localhost", SmtpTls::None);
            options.ca_file = Some("ca.pem".into());
        });
        assert_eq!(unused, Some(Setting::SmtpCaFile));
    }

    #[test]
    fn ports_are_the_usual_ones() {
        assert_eq!([SmtpTls::Implicit, SmtpTls::StartTls, SmtpTls::None].map(SmtpTls::port), [465, 587, 25]);
    }

    #[test]
    fn a_password_is_not_printed() {
        let mut options = SmtpOptions::new("mail.example", SmtpTls::Implicit);
        options.login = Some(("mailer".to_owned(), SmtpPassword::new("hunter2")));
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
