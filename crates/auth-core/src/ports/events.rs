//! The audit log.

use crate::event::SecurityEvent;

/// The audit log. Recording must not block, and cannot fail.
pub trait SecurityEvents: Send + Sync {
    /// Records one event.
    fn record(&self, event: SecurityEvent);

    /// Records the events of a write, in order. Must be called after the write has taken effect.
    fn record_committed(&self, events: &[SecurityEvent]) {
        for event in events {
            self.record(event.clone());
        }
    }
}
