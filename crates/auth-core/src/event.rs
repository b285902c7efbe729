//! What the audit log records (SEC-150): who did what to which account or session, never a token, password or code.

use crate::permission::Denial;
use crate::token::SessionId;
use crate::user::UserId;

/// One thing worth remembering. Time, address and request id are the recorder's to add.
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
    /// Whose account it concerns, where that is known.
    pub user: Option<UserId>,
    /// Which session it concerns, where it concerns one.
    pub session: Option<SessionId>,
    /// Which part of a permission rule refused, where one did.
    pub refused_by: Option<String>,
}

impl SecurityEvent {
    /// Something that concerns a whole account.
    pub fn of_user(kind: EventKind, user: &UserId) -> Self {
        Self { kind, user: Some(user.clone()), session: None, refused_by: None }
    }

    /// Something that concerns one session.
    pub fn of_session(kind: EventKind, user: &UserId, session: SessionId) -> Self {
        Self { kind, user: Some(user.clone()), session: Some(session), refused_by: None }
    }

    /// Something whose account is not known.
    pub const fn of_nobody(kind: EventKind) -> Self {
        Self { kind, user: None, session: None, refused_by: None }
    }

    /// The session limit of an account ended one of its sessions.
    pub fn of_surplus(user: &UserId, session: SessionId) -> Self {
        Self::of_session(EventKind::SessionLimitReached, user, session)
    }

    /// Somebody was not allowed to do something.
    pub fn denied(user: &UserId, denial: &Denial) -> Self {
        let refused_by = Some(denial.leaf().to_string());
        Self { kind: EventKind::PermissionDenied, user: Some(user.clone()), session: None, refused_by }
    }
}

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of event. A released [`name`](Self::name) never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name in the log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

event_kinds! {
    /// An account was made.
    AccountRegistered = "account_registered",
    /// An account was made or changed by an administrator's command.
    AccountAdministered = "account_administered",
    /// An account may log in again.
    AccountActivated = "account_activated",
    /// An account may no longer log in or refresh.
    AccountDeactivated = "account_deactivated",
    /// An account became an administrator's.
    AccountPromoted = "account_promoted",
    /// An account is no longer an administrator's.
    AccountDemoted = "account_demoted",
    /// An account is in other groups now.
    AccountGroupsChanged = "account_groups_changed",
    /// An account and all it owned was deleted.
    AccountDeleted = "account_deleted",
    /// Name or address of an account changed.
    ProfileChanged = "profile_changed",
    /// A password was set; every session of the account has ended.
    PasswordChanged = "password_changed",
    /// A password was set with the link of a mail; every session of the account has ended.
    PasswordReset = "password_reset",
    /// A logged-in user gave a wrong password.
    PasswordRefused = "password_refused",
    /// An address was proven.
    EmailVerified = "email_verified",
    /// Somebody asked to change the address of their account.
    EmailChangeRequested = "email_change_requested",
    /// The address of an account was changed.
    EmailChanged = "email_changed",
    /// The right password was shown, and a second factor was asked for.
    SecondFactorAsked = "second_factor_asked",
    /// A code did not answer its challenge.
    SecondFactorRefused = "second_factor_refused",
    /// A second factor was switched on.
    SecondFactorAdded = "second_factor_added",
    /// A second factor was switched off.
    SecondFactorRemoved = "second_factor_removed",
    /// The recovery codes of an account were made anew.
    RecoveryCodesReplaced = "recovery_codes_replaced",
    /// Too many attempts for one account or from one address: one was not looked at.
    AttemptThrottled = "attempt_throttled",
    /// Right credentials: a session began.
    LoginSucceeded = "login_succeeded",
    /// Wrong credentials, or an inactive account.
    LoginFailed = "login_failed",
    /// A spent refresh token came back too late to be a retry: its session has ended (RFC 9700 §4.14.2).
    RefreshReused = "refresh_token_reused",
    /// A well-signed refresh token of a generation that was never issued: a restored database, or a stolen key.
    RefreshNeverIssued = "refresh_token_never_issued",
    /// A refresh token from elsewhere, signed with the same key, became a session.
    TokenAdopted = "foreign_token_adopted",
    /// An account had too many sessions: the least recently used one was ended.
    SessionLimitReached = "session_limit_reached",
    /// A session was ended by its user.
    LoggedOut = "logged_out",
    /// All sessions of an account but one were ended by its user.
    LoggedOutOthers = "logged_out_others",
    /// All sessions of an account were ended by its user.
    LoggedOutAll = "logged_out_all",
    /// Somebody tried to log out with another user's refresh token.
    LogoutRefused = "logout_of_foreign_token_refused",
    /// Somebody without credentials made more requests than they may.
    RequestThrottled = "request_throttled",
    /// Somebody who is logged in was not allowed to do something.
    PermissionDenied = "permission_denied",
    /// A refresh token was blacklisted; its session has ended.
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
