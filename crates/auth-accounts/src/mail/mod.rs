//! Mails: what they are about, and to whom they go. How one reads is a template's business, how it travels a
//! [`Mailer`](crate::ports::Mailer)'s.
//!
//! Nothing here sends anything. Whatever causes a mail puts it into the [outbox](crate::ports::Outbox) with the same
//! transaction; what the mail says is sealed there, since a link or a code in it opens something.

mod content;
mod id;
mod kind;
mod retry;

pub use content::{EmailContent, Fact, Mail};
pub use id::MessageId;
pub(crate) use kind::names;
pub use kind::{EmailKind, EmailRequest, Queued};
pub use retry::RetryPolicy;

use std::error::Error;
use std::fmt;

use auth_core::effects::{Effects, Message};
use auth_core::time::UnixTime;

use crate::secret::Sealed;

/// Something to be put into the outbox: a mail, or somebody's wish for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEmail {
    /// Its name.
    pub id: MessageId,
    /// What it is.
    pub queued: Queued,
    /// The address it goes to: that of the account, or as it was typed by whoever asked.
    pub to: String,
    /// What it says, sealed for [`EmailContent::context`].
    pub content: Sealed,
    /// When it was caused.
    pub queued_at: UnixTime,
}

impl From<OutgoingEmail> for Message {
    fn from(mail: OutgoingEmail) -> Self {
        let OutgoingEmail { id, queued, to, content, queued_at } = mail;
        Self { id: id.bytes(), kind: queued.name(), to, content: content.bytes().to_vec(), queued_at }
    }
}

impl FromIterator<OutgoingEmail> for Effects {
    fn from_iter<T: IntoIterator<Item = OutgoingEmail>>(mails: T) -> Self {
        Self { messages: mails.into_iter().map(Message::from).collect(), ..Self::NONE }
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

/// A message of a kind that is none of [`Queued`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of an unknown kind")
    }
}

impl Error for UnknownKind {}

/// Something taken out of the outbox, to be done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedEmail {
    /// What was put in.
    pub mail: OutgoingEmail,
    /// How often it was taken, this time included. It names the claim: whoever reports an outcome names it too.
    pub attempt: u32,
}

/// Something in the outbox, as an operator sees it: not what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its name.
    pub id: MessageId,
    /// What it is.
    pub queued: Queued,
    /// The address it goes to.
    pub to: String,
    /// When it was caused.
    pub queued_at: UnixTime,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; `None`: at once, or never.
    pub next_attempt_at: Option<UnixTime>,
    /// When it was given up; `None`: it was not.
    pub failed_at: Option<UnixTime>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}
