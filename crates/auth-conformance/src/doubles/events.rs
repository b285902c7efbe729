//! An audit log that tests can read.

use std::sync::{Mutex, PoisonError};

use auth_core::event::SecurityEvent;
use auth_core::ports::SecurityEvents;

/// Keeps the recorded events in order.
#[derive(Debug, Default)]
pub struct RecordedEvents(Mutex<Vec<SecurityEvent>>);

impl RecordedEvents {
    /// Takes the events that were recorded since the last call.
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
    fn returns_events_once_and_in_order() {
        let events = RecordedEvents::default();
        let of = |kind| SecurityEvent::of_user(kind, &UserId::new(1));
        events.record(of(EventKind::LoginFailed));
        events.record(of(EventKind::LoginSucceeded));
        assert_eq!(events.taken(), [of(EventKind::LoginFailed), of(EventKind::LoginSucceeded)]);
        assert_eq!(events.taken(), []);
    }
}
