//! What a write commits in its own transaction: emails and security events.

use std::fmt;

use crate::event::SecurityEvent;
use crate::time::UnixTime;
use crate::user::UserId;

/// What a write of a storage port commits in its own transaction. A write that does not take effect commits nothing.
///
/// ```
/// use auth_core::effects::Effects;
/// use auth_core::event::{EventKind, SecurityEvent};
/// use auth_core::user::UserId;
/// let event = SecurityEvent::of_user(EventKind::ProfileChanged, &UserId::new(1));
/// assert_eq!(Effects::from(event.clone()).events, [event.clone()]);
/// assert_eq!(Effects::NONE.with_event(event.clone()).events, [event]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Emails to enqueue. They belong to the account that the write concerns, and are deleted with it. A storage
    /// without an outbox ignores them.
    pub messages: Vec<Message>,
    /// Events for the audit trail. They outlive the account that they concern. A storage without an audit trail ignores
    /// them.
    pub events: Vec<SecurityEvent>,
}

impl Effects {
    /// No effects.
    pub const NONE: Self = Self { messages: Vec::new(), events: Vec::new() };

    /// Appends the effects of `other`.
    pub fn append(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.events.extend(other.events);
    }

    /// Adds an event.
    #[must_use]
    pub fn with_event(mut self, event: SecurityEvent) -> Self {
        self.events.push(event);
        self
    }

    /// The events of a write that creates `user`: an event without a user gets this one, because the ID is not known
    /// before the write if the storage assigns it.
    pub fn events_of_new(&self, user: &UserId) -> Vec<SecurityEvent> {
        let named = |event: &SecurityEvent| {
            let user = event.user.clone().or_else(|| Some(user.clone()));
            SecurityEvent { user, ..event.clone() }
        };
        self.events.iter().map(named).collect()
    }
}

impl From<SecurityEvent> for Effects {
    fn from(event: SecurityEvent) -> Self {
        Self::NONE.with_event(event)
    }
}

/// An email for the outbox. Its content is sealed, so that the storage cannot read it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The message ID.
    pub id: [u8; 16],
    /// The stable name of the kind of email.
    pub kind: &'static str,
    /// The email address of the recipient.
    pub to: String,
    /// The sealed content.
    pub content: Vec<u8>,
    /// When it was enqueued.
    pub queued_at: UnixTime,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, kind, to: _, content: _, queued_at } = self;
        f.debug_struct("Message").field("kind", kind).field("queued_at", queued_at).finish_non_exhaustive()
    }
}
