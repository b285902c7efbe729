//! The audit log.

use crate::event::SecurityEvent;

/// Where security events go. Recording must not block and cannot fail the request.
pub trait SecurityEvents: Send + Sync {
    /// Records one event.
    fn record(&self, event: SecurityEvent);

    /// Records the events that a write has committed, in their order. To be called once it has taken effect.
    fn record_committed(&self, events: &[SecurityEvent]) {
        for event in events {
            self.record(event.clone());
        }
    }
}
