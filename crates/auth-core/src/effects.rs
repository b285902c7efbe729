//! What a write commits with itself, so that neither can exist without the other.

use std::fmt;

use crate::time::UnixTime;

/// What a write of a storage port commits with itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Messages to deliver once the write is committed. A storage without an outbox ignores them.
    pub messages: Vec<Message>,
}

impl Effects {
    /// None.
    pub const NONE: Self = Self { messages: Vec::new() };

    /// Adds those of another.
    pub fn append(&mut self, other: Self) {
        self.messages.extend(other.messages);
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
