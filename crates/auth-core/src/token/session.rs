//! Sessions: one login, and every token that descends from it.

use crate::time::{Seconds, UnixTime};
use crate::token::SessionId;
use crate::user::{User, UserId};

/// The rotation generation of a refresh token or a session: 0 at the start, and one more with each rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// The generation of the refresh token that a login returns.
    pub const FIRST: Self = Self(0);
    /// The last generation, the maximum of `integer` in PostgreSQL. One refresh per second reaches it after 68 years.
    pub const LAST: Self = Self(i32::MAX as u32);

    /// The generation with this number, at most [`LAST`](Self::LAST).
    pub const fn new(number: u32) -> Self {
        if number > Self::LAST.0 { Self::LAST } else { Self(number) }
    }

    /// The number of the generation.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The next generation; `None` after the last one.
    pub fn next(self) -> Option<Self> {
        (self < Self::LAST).then(|| Self(self.0 + 1))
    }
}

/// A session: one login and every token that descends from it. Refresh tokens themselves are not stored.
///
/// ```
/// use auth_conformance::{at, session_id, session_of};
/// use auth_core::time::Seconds;
/// use auth_core::token::Generation;
/// use auth_core::user::UserId;
/// let session = session_of(&UserId::new(1), session_id(1), at(0));
/// let next = session.next(at(60), Seconds::new(600)).unwrap();
/// assert_eq!((next.generation, next.expires_at), (Generation::new(1), at(660)));
/// ```
///
/// A refresh token carries its session ID and its rotation generation. If that is the generation of the session, the
/// token is live; if lower, it is used, unless the policy keeps it live ([`OnRefresh`](crate::rotation::OnRefresh)); if
/// higher, it was never issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session ID, also the `jti` of the first refresh token.
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The rotation generation of the live refresh token.
    pub generation: Generation,
    /// When the live refresh token was issued.
    pub rotated_at: UnixTime,
    /// When the session started.
    pub created_at: UnixTime,
    /// When the session was last refreshed.
    pub last_used_at: UnixTime,
    /// When the live refresh token expires.
    pub expires_at: UnixTime,
    /// The end of the absolute lifetime, if there is one.
    pub absolute_expires_at: Option<UnixTime>,
    /// When the session was revoked.
    pub revoked_at: Option<UnixTime>,
    /// Why the session was revoked.
    pub revoke_reason: Option<RevokeReason>,
    /// The authentication methods, separated by spaces (RFC 8176 §2); empty if not known.
    pub amr: String,
    /// When the user was authenticated; for an adopted session, when its token was issued.
    pub authenticated_at: UnixTime,
    /// The client that logged in.
    pub client: ClientInfo,
}

impl Session {
    /// The state after a rotation at `now`, for the storage to write; `None` after the last generation.
    ///
    /// The new refresh token lives for `refresh_ttl`, but not longer than the session.
    pub fn next(&self, now: UnixTime, refresh_ttl: Seconds) -> Option<NextGeneration> {
        let expires_at = capped(now.plus(refresh_ttl), self.absolute_expires_at);
        self.generation.next().map(|generation| NextGeneration { generation, rotated_at: now, expires_at })
    }

    /// The state that the last rotation wrote.
    pub const fn current(&self) -> NextGeneration {
        NextGeneration { generation: self.generation, rotated_at: self.rotated_at, expires_at: self.expires_at }
    }

    /// The earlier of `time` and the end of the absolute lifetime.
    pub fn cap(&self, time: UnixTime) -> UnixTime {
        capped(time, self.absolute_expires_at)
    }
}

fn capped(time: UnixTime, end: Option<UnixTime>) -> UnixTime {
    end.map_or(time, |end| time.min(end))
}

/// The changes that a rotation makes to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextGeneration {
    /// The rotation generation of the successor.
    pub generation: Generation,
    /// When the successor is issued.
    pub rotated_at: UnixTime,
    /// When the successor expires.
    pub expires_at: UnixTime,
}

/// A session and its user, read in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOfUser {
    /// The session, in any state.
    pub session: Session,
    /// The user, in any state.
    pub user: User,
}

/// The client that logged in, for display to the user. No decision depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client IP.
    pub ip: Option<String>,
    /// The user agent, truncated to [`MAX_USER_AGENT_CHARS`](Self::MAX_USER_AGENT_CHARS).
    pub user_agent: Option<String>,
}

impl ClientInfo {
    /// The maximum length of the user agent, in characters.
    pub const MAX_USER_AGENT_CHARS: usize = 255;

    /// Creates the description of a client. Control characters are removed from the user agent.
    pub fn new(ip: Option<String>, user_agent: Option<&str>) -> Self {
        let visible =
            |agent: &str| agent.chars().filter(|c| !c.is_control()).take(Self::MAX_USER_AGENT_CHARS).collect();
        Self { ip, user_agent: user_agent.map(visible) }
    }
}

/// Why a session was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevokeReason {
    /// The user logged out of the session.
    Logout,
    /// The user logged out of all sessions, or of all others.
    LogoutAll,
    /// A used refresh token was presented again (RFC 9700 §4.14.2).
    Reuse,
    /// A refresh token of the session was blacklisted.
    Blacklisted,
    /// The password was changed.
    PasswordChanged,
    /// The operator revoked the session.
    Administrator,
    /// The account exceeded its session limit.
    SessionLimit,
}

impl RevokeReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Logout,
        Self::LogoutAll,
        Self::Reuse,
        Self::Blacklisted,
        Self::PasswordChanged,
        Self::Administrator,
        Self::SessionLimit,
    ];

    /// The stable name, as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Reuse => "reuse",
            Self::Blacklisted => "blacklisted",
            Self::PasswordChanged => "password_changed",
            Self::Administrator => "administrator",
            Self::SessionLimit => "session_limit",
        }
    }

    /// The reason with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_generation_has_no_next_one() {
        assert_eq!(Generation::FIRST.next(), Some(Generation::new(1)));
        assert_eq!(Generation::new(Generation::LAST.get() - 1).next(), Some(Generation::LAST));
        assert_eq!(Generation::LAST.next(), None);
        assert_eq!(Generation::new(u32::MAX), Generation::LAST);
    }

    #[test]
    fn names_of_reasons_are_parsed() {
        for reason in RevokeReason::ALL {
            assert_eq!(RevokeReason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(RevokeReason::from_name("unknown"), None);
    }

    #[test]
    fn user_agents_are_truncated_and_without_control_characters() {
        let client = ClientInfo::new(None, Some(&format!("a\r\nb\u{1b}[2J{}", "x".repeat(300))));
        let shown = client.user_agent.unwrap();
        assert!(shown.starts_with("ab[2Jx") && shown.chars().count() == 255);
    }
}
