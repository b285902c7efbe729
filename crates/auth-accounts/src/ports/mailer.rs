//! Delivery of emails.

use std::fmt;

use async_trait::async_trait;

use crate::email::UnsealedEmail;

/// Why an email was not delivered. The message is for operators: one line, no email address but the recipient's, and nothing
/// of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailError {
    /// A later attempt may succeed: the server is unreachable, slow or busy, or answered with a transient error (4yz, RFC 5321
    /// §4.2.1).
    Temporary(String),
    /// A later attempt will fail too: the server refuses the recipient or the email (5yz).
    Permanent(String),
}

impl fmt::Display for EmailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Temporary(why) | Self::Permanent(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for EmailError {}

/// Renders and delivers emails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Renders an email and hands it to the mail server. `Ok` means that the server has accepted it. Must time out after at most
    /// [`MAX_SEND_TIME`].
    async fn send(&self, email: &UnsealedEmail) -> Result<(), EmailError>;
}

/// How long a [`Mailer`] may take for one email. An email can be claimed again once its lease, which is longer, has ended.
pub const MAX_SEND_TIME: std::time::Duration = std::time::Duration::from_secs(120);
