//! What stops the start.

use std::fmt;

/// What an operator has set wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Where links begin.
    BaseUrl,
    /// The page for a new password.
    PasswordResetPath,
    /// The page that confirms an address.
    EmailVerificationPath,
    /// Who mails come from.
    From,
    /// What the service is called in mails.
    ServiceName,
    /// The language of the mails.
    Language,
    /// The folder of templates, or one of the files in it.
    Templates,
    /// The folder that mails are written to.
    Folder,
    /// The name of the mail server.
    SmtpHost,
    /// How the connection to the mail server is protected.
    SmtpTls,
    /// The name or the password to log in to the mail server with.
    SmtpLogin,
    /// What this machine calls itself.
    SmtpHeloName,
    /// How long one mail may take.
    SmtpTimeout,
    /// The file of certificates that are trusted as well.
    SmtpCaFile,
}

/// Why a mailer cannot be made: the setting, and one line that says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    /// What is set wrongly.
    pub setting: Setting,
    /// What is wrong with it: one line, without secrets.
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
