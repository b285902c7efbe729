//! Mail on its way out.

use std::fmt;

use async_trait::async_trait;

use crate::mail::Mail;

/// Why a mail was not sent. The text is for an operator: one line, no address but the recipient's, nothing of what the
/// mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailError {
    /// It may work later: the server is away, slow, busy, or asks to try again (RFC 5321 §4.2.1, 4yz).
    Temporary(String),
    /// It will not work later either: the server refuses the recipient or the mail (5yz).
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

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Makes sentences of a mail and hands it over to whoever carries it on. `Ok` means that they have taken it.
    ///
    /// May take its time, within a bound of its own of at most [`MAX_SEND_TIME`].
    async fn send(&self, mail: &Mail) -> Result<(), EmailError>;
}

/// How long a [`Mailer`] may take for one mail. A mail that was taken out of the outbox for longer is free again.
pub const MAX_SEND_TIME: std::time::Duration = std::time::Duration::from_secs(120);
