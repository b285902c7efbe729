//! Security events, the records of the audit log (SEC-150). None contains a token, a password or a code.

use crate::permission::Denial;
use crate::token::SessionId;
use crate::user::UserId;

/// One record of the audit log. The recorder adds the time, the client IP and the request ID.
///
/// ```
/// use auth_core::event::{EventKind, SecurityEvent};
/// use auth_core::user::UserId;
/// let event = SecurityEvent::of_user(EventKind::LoginFailed, &UserId::new(1));
/// assert_eq!(event.kind.name(), "login_failed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// What happened.
    pub kind: EventKind,
    /// The user whom it concerns, if known.
    pub user: Option<UserId>,
    /// The session that it concerns, if any.
    pub session: Option<SessionId>,
    /// The part of the permission rule that refused the caller, if one did.
    pub refused_by: Option<String>,
}

impl SecurityEvent {
    /// An event that concerns an account.
    pub fn of_user(kind: EventKind, user: &UserId) -> Self {
        Self { kind, user: Some(user.clone()), session: None, refused_by: None }
    }

    /// An event that concerns a session.
    pub fn of_session(kind: EventKind, user: &UserId, session: SessionId) -> Self {
        Self { kind, user: Some(user.clone()), session: Some(session), refused_by: None }
    }

    /// An event whose user is not known.
    pub const fn without_user(kind: EventKind) -> Self {
        Self { kind, user: None, session: None, refused_by: None }
    }

    /// The session limit revoked a session ([`EventKind::SessionLimitReached`]).
    pub fn session_limit_reached(user: &UserId, session: SessionId) -> Self {
        Self::of_session(EventKind::SessionLimitReached, user, session)
    }

    /// A permission rule refused a caller ([`EventKind::PermissionDenied`]).
    pub fn denied(user: &UserId, denial: &Denial) -> Self {
        let refused_by = Some(denial.leaf().to_string());
        Self { kind: EventKind::PermissionDenied, user: Some(user.clone()), session: None, refused_by }
    }
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of security event. A released [`name`](Self::name) never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name in the audit log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

event_kinds! {
    /// An account was created by a registration.
    AccountRegistered = "account_registered",
    /// An account was created or changed with a command of the operator.
    AccountAdministered = "account_administered",
    /// An account was activated: it may log in again.
    AccountActivated = "account_activated",
    /// An account was deactivated: it may no longer log in or refresh.
    AccountDeactivated = "account_deactivated",
    /// An account was made staff.
    AccountPromoted = "account_promoted",
    /// An account is no longer staff.
    AccountDemoted = "account_demoted",
    /// The groups of an account were changed.
    AccountGroupsChanged = "account_groups_changed",
    /// An account was deleted, with everything that belongs to it.
    AccountDeleted = "account_deleted",
    /// The profile of an account was changed.
    ProfileChanged = "profile_changed",
    /// A password was set; the sessions of the account were revoked.
    PasswordChanged = "password_changed",
    /// A password was set with a link from an email; the sessions of the account were revoked.
    PasswordReset = "password_reset",
    /// A caller gave a wrong password.
    PasswordRefused = "password_refused",
    /// An email address was verified.
    EmailVerified = "email_verified",
    /// A caller asked to change the email address.
    EmailChangeRequested = "email_change_requested",
    /// The email address of an account was changed.
    EmailChanged = "email_changed",
    /// A login with the right password got a challenge, because a second factor is required.
    SecondFactorAsked = "second_factor_asked",
    /// A wrong code was sent with a challenge.
    SecondFactorRefused = "second_factor_refused",
    /// A second factor was added.
    SecondFactorAdded = "second_factor_added",
    /// A second factor was removed.
    SecondFactorRemoved = "second_factor_removed",
    /// The recovery codes of an account were replaced.
    RecoveryCodesReplaced = "recovery_codes_replaced",
    /// A rate limit refused an attempt, for one account or from one client IP, before it was checked.
    AttemptThrottled = "attempt_throttled",
    /// A login succeeded: a session started.
    LoginSucceeded = "login_succeeded",
    /// A login failed: wrong credentials, or an inactive account.
    LoginFailed = "login_failed",
    /// A used refresh token was presented outside the replay window: its session was revoked (RFC 9700 §4.14.2).
    RefreshReused = "refresh_token_reused",
    /// A well-signed refresh token has a rotation generation that was never issued: the database was restored from a
    /// backup, or the signing key was stolen.
    RefreshNeverIssued = "refresh_token_never_issued",
    /// An externally issued refresh token was adopted as a session.
    TokenAdopted = "foreign_token_adopted",
    /// An account exceeded its session limit: the least recently used session was revoked.
    SessionLimitReached = "session_limit_reached",
    /// The user logged out of a session.
    LoggedOut = "logged_out",
    /// The user logged out of all other sessions.
    LoggedOutOthers = "logged_out_others",
    /// The user logged out of all sessions.
    LoggedOutAll = "logged_out_all",
    /// A logout with another user's refresh token was refused (SEC-033).
    LogoutRefused = "logout_of_foreign_token_refused",
    /// A rate limit refused a request without credentials.
    RequestThrottled = "request_throttled",
    /// A permission rule refused a caller.
    PermissionDenied = "permission_denied",
    /// A refresh token was blacklisted; its session, if it has one, was revoked.
    TokenBlacklisted = "refresh_token_blacklisted",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_are_unique() {
        let mut names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventKind::ALL.len());
    }
}
