//! Emails: their kinds, contents and recipients. A [`Mailer`](crate::ports::Mailer) renders the templates and delivers them.
//!
//! Nothing in this module sends an email. Emails are enqueued in the [outbox](crate::ports::Outbox), in the transaction that
//! causes them. Their contents are sealed there, since links and codes are secret.

mod content;
mod id;
mod kind;
mod retry;

pub use content::{EmailContent, Fact, UnsealedEmail};
pub use id::MessageId;
pub(crate) use kind::names;
pub use kind::{EmailKind, EmailRequest, Queued};
pub use retry::RetryPolicy;

use std::error::Error;
use std::fmt;

use auth_core::effects::{Effects, Message};
use auth_core::time::UnixTime;

use crate::secret::Sealed;

/// An email, or a request for one, to be enqueued in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEmail {
    /// The message ID.
    pub id: MessageId,
    /// The kind.
    pub queued: Queued,
    /// The email address of the account or, for a request, the one that the client entered.
    pub to: String,
    /// The content, sealed with [`EmailContent::context`].
    pub content: Sealed,
    /// When it was enqueued.
    pub queued_at: UnixTime,
}

impl From<OutgoingEmail> for Message {
    fn from(email: OutgoingEmail) -> Self {
        let OutgoingEmail { id, queued, to, content, queued_at } = email;
        Self { id: id.bytes(), kind: queued.name(), to, content: content.bytes().to_vec(), queued_at }
    }
}

impl FromIterator<OutgoingEmail> for Effects {
    fn from_iter<T: IntoIterator<Item = OutgoingEmail>>(emails: T) -> Self {
        Self { messages: emails.into_iter().map(Message::from).collect(), ..Self::NONE }
    }
}

impl TryFrom<&Message> for OutgoingEmail {
    type Error = UnknownKind;

    fn try_from(message: &Message) -> Result<Self, UnknownKind> {
        let Message { id, kind, to, content, queued_at } = message;
        let (id, queued) = (MessageId::from_bytes(*id), Queued::from_name(kind).ok_or(UnknownKind)?);
        Ok(Self { id, queued, to: to.clone(), content: Sealed::new(content.clone()), queued_at: *queued_at })
    }
}

/// The error for a message whose kind is not in [`Queued`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of email")
    }
}

impl Error for UnknownKind {}

/// An entry of the outbox that a worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEmail {
    /// The entry, as it was enqueued.
    pub email: OutgoingEmail,
    /// How many times it has been claimed, including this one. Identifies the claim when its outcome is reported.
    pub attempt: u32,
}

/// An entry of the outbox as operators see it, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The message ID.
    pub id: MessageId,
    /// The kind.
    pub queued: Queued,
    /// The email address of the recipient.
    pub to: String,
    /// When it was enqueued.
    pub queued_at: UnixTime,
    /// How many attempts have been made.
    pub attempts: u32,
    /// When the next attempt is due; `None` if it is due now, or if delivery was given up.
    pub next_attempt_at: Option<UnixTime>,
    /// When delivery was given up; `None` if it was not.
    pub failed_at: Option<UnixTime>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}
