//! An audit log that can be read.

use std::sync::{Mutex, PoisonError};

use auth_core::event::SecurityEvent;
use auth_core::ports::SecurityEvents;

/// Keeps the events that it is told, in their order.
#[derive(Debug, Default)]
pub struct RecordedEvents(Mutex<Vec<SecurityEvent>>);

impl RecordedEvents {
    /// The events since the last time that they were taken.
    pub fn taken(&self) -> Vec<SecurityEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SecurityEvents for RecordedEvents {
    fn record(&self, event: SecurityEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::event::EventKind;
    use auth_core::user::UserId;

    use super::*;

    #[test]
    fn events_are_taken_once_and_in_their_order() {
        let events = RecordedEvents::default();
        let of = |kind| SecurityEvent::of_user(kind, &UserId::new(1));
        events.record(of(EventKind::LoginFailed));
        events.record(of(EventKind::LoginSucceeded));
        assert_eq!(events.taken(), [of(EventKind::LoginFailed), of(EventKind::LoginSucceeded)]);
        assert_eq!(events.taken(), []);
    }
}
