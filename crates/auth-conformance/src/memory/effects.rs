//! What a write commits with itself, in memory.

use auth_accounts::email::OutgoingEmail;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::event::SecurityEvent;
use auth_core::user::UserId;

use super::State;

/// The effects of a write that is not committed yet. Emails are the only messages that this store supports.
pub(super) struct Pending {
    emails: Vec<OutgoingEmail>,
    pub(super) events: Vec<SecurityEvent>,
}

impl TryFrom<&Effects> for Pending {
    type Error = StoreError;

    fn try_from(effects: &Effects) -> Result<Self, StoreError> {
        let emails: Result<_, _> = effects.messages.iter().map(OutgoingEmail::try_from).collect();
        Ok(Self { emails: emails.map_err(StoreError::broken)?, events: effects.events.clone() })
    }
}

impl State {
    /// Commits the effects of a write on this account.
    pub(super) fn commit(&mut self, owner: &UserId, effects: Pending) {
        self.outbox.put(Some(owner), &effects.emails);
        self.audit_trail.extend(effects.events);
    }

    /// Commits the events of a write that leaves no account to send messages to.
    pub(super) fn commit_events(&mut self, effects: &Effects) {
        self.audit_trail.extend(effects.events.iter().cloned());
    }
}
