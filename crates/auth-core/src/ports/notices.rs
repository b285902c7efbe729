//! Notices to the users of sessions.

use crate::effects::Effects;
use crate::error::AuthError;
use crate::user::User;

/// The notices to users whose session is revoked because of a reused refresh token (RFC 9700 §4.14.2).
pub trait ReuseNotices: Send + Sync {
    /// The effects for the write that revokes the session.
    ///
    /// # Errors
    /// If the notice cannot be created. The session is revoked without a notice then, and the refresh returns the
    /// error.
    fn effects(&self, user: &User) -> Result<Effects, AuthError>;
}
