//! Notices to the users of sessions.

use crate::effects::Effects;
use crate::error::AuthError;
use crate::user::User;

/// What a user is told when one of their sessions ends because a used token of it was presented (RFC 9700 §4.14.2).
pub trait ReuseNotices: Send + Sync {
    /// What the write that ends the session commits with itself.
    ///
    /// # Errors
    /// If a notice cannot be made: then the session ends without one, and the error is the answer.
    fn effects(&self, user: &User) -> Result<Effects, AuthError>;
}
