//! The audit log.

use crate::event::SecurityEvent;

/// Where security events go. Recording must not block and cannot fail the request.
pub trait SecurityEvents: Send + Sync {
    /// Records one event.
    fn record(&self, event: SecurityEvent);
}
