//! Configuration errors.

use std::fmt;

/// A setting with an invalid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The base URL of links.
    BaseUrl,
    /// The path of the page that sets a new password.
    PasswordResetPath,
    /// The path of the page that verifies an email address.
    EmailVerificationPath,
    /// The sender of emails.
    From,
    /// The name of the service in emails.
    ServiceName,
    /// The language of emails.
    Language,
    /// The template folder or a template file.
    Templates,
    /// The folder that emails are written to.
    Folder,
    /// The host of the mail server.
    SmtpHost,
    /// The TLS mode of the connection to the mail server.
    SmtpTls,
    /// The username or password for the mail server.
    SmtpLogin,
    /// The name of this client in the `EHLO` command.
    SmtpHeloName,
    /// The time limit for one email.
    SmtpTimeout,
    /// The file of additional trusted certificates.
    SmtpCaFile,
}

/// Why a mailer cannot be created: a setting and the reason why its value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    /// The setting.
    pub setting: Setting,
    /// The reason: one line, without secrets.
    pub why: String,
}

impl SetupError {
    pub(crate) fn new(setting: Setting, why: impl Into<String>) -> Self {
        Self { setting, why: why.into() }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for SetupError {}
