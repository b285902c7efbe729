//! The audit log: security events as log records (SEC-150).

use auth_core::event::SecurityEvent;
use auth_core::ports::SecurityEvents;
use auth_core::user::UserId;
use tracing::Value;

/// Writes each event as one log record with the target `security`. The span of the request adds the request ID and the client
/// IP.
#[derive(Clone, Copy, Debug)]
pub struct LoggedEvents;

impl SecurityEvents for LoggedEvents {
    fn record(&self, event: SecurityEvent) {
        let user = event.user.as_ref();
        let integer = user.and_then(UserId::as_integer);
        let string = user.filter(|_| integer.is_none()).map(UserId::to_string);
        // An integer ID is logged as a number, any other as a string.
        let user: Option<&dyn Value> = integer.as_ref().map(|id| id as _).or(string.as_ref().map(|id| id as _));
        let session = event.session.map(|session| session.to_string());
        let refused_by = event.refused_by;
        tracing::info!(target: "security", event = event.kind.name(), user, session, refused_by, "security event");
    }
}
