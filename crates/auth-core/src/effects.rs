//! What a write commits with itself, so that neither can exist without the other.

use std::fmt;

use crate::event::SecurityEvent;
use crate::time::UnixTime;
use crate::user::UserId;

/// What a write of a storage port commits with itself. A write that does not take effect commits none of it.
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
    /// Messages to deliver once the write is committed. They belong to the account that the write is about, and are deleted
    /// with it. A storage without an outbox ignores them.
    pub messages: Vec<Message>,
    /// Events that the audit trail records with the write. They outlive the account that they are about. A storage without an
    /// audit trail ignores them.
    pub events: Vec<SecurityEvent>,
}

impl Effects {
    /// None.
    pub const NONE: Self = Self { messages: Vec::new(), events: Vec::new() };

    /// Adds those of another.
    pub fn append(&mut self, other: Self) {
        self.messages.extend(other.messages);
        self.events.extend(other.events);
    }

    /// The same with one more event.
    #[must_use]
    pub fn with_event(mut self, event: SecurityEvent) -> Self {
        self.events.push(event);
        self
    }

    /// The events of a write that creates this user: those without a user are about the new one, whose ID is not known before
    /// the write if the storage assigns it.
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

/// A message in the outbox: to whom it goes, and what it says, which only its author can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its ID.
    pub id: [u8; 16],
    /// What it is about: a stable name of its author's.
    pub kind: &'static str,
    /// The address that it goes to.
    pub to: String,
    /// What it says, sealed.
    pub content: Vec<u8>,
    /// When it was caused.
    pub queued_at: UnixTime,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, kind, to: _, content: _, queued_at } = self;
        f.debug_struct("Message").field("kind", kind).field("queued_at", queued_at).finish_non_exhaustive()
    }
}
