//! The session: one login, and every refresh token that descends from it.

use crate::time::{Seconds, UnixTime};
use crate::token::SessionId;
use crate::user::{User, UserId};

/// The place of a refresh token in its session: 0 for the first, one more with each rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

impl Generation {
    /// That of the token a login answers.
    pub const FIRST: Self = Self(0);
    /// The last one. At one refresh a second it is reached after 68 years; what fits in a database's `integer`.
    pub const LAST: Self = Self(i32::MAX as u32);

    /// The generation with this number, at most [`LAST`](Self::LAST).
    pub const fn new(number: u32) -> Self {
        if number > Self::LAST.0 { Self::LAST } else { Self(number) }
    }

    /// Its number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The one after it; `None` after the last one.
    pub fn next(self) -> Option<Self> {
        (self < Self::LAST).then(|| Self(self.0 + 1))
    }
}

/// One login for its whole life. It is the only thing stored of any refresh token.
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
/// A refresh token names its session and its generation. Below the session's generation it is spent (unless the
/// policy keeps it good, [`OnRefresh`](crate::rotation::OnRefresh)), equal to it the one live token, above it never issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name, which is also the `jti` of its first refresh token.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The generation of its one live refresh token.
    pub generation: Generation,
    /// When that token was issued.
    pub rotated_at: UnixTime,
    /// When the session began.
    pub created_at: UnixTime,
    /// When it was last refreshed.
    pub last_used_at: UnixTime,
    /// When its live refresh token ends; moves with each rotation.
    pub expires_at: UnixTime,
    /// When it ends for good, however often it is refreshed.
    pub absolute_expires_at: Option<UnixTime>,
    /// When it was ended on purpose.
    pub revoked_at: Option<UnixTime>,
    /// Why it was ended.
    pub revoke_reason: Option<RevokeReason>,
    /// The authentication methods, separated by spaces (RFC 8176 §2); empty where they are not known.
    pub amr: String,
    /// When the user was authenticated; for an adopted session, when its token was issued.
    pub authenticated_at: UnixTime,
    /// From where it began.
    pub client: ClientInfo,
}

impl Session {
    /// The state after one more rotation, which is what a store has to write; `None` after the last generation.
    ///
    /// Its token lives for `refresh_ttl`, and never longer than the session.
    pub fn next(&self, now: UnixTime, refresh_ttl: Seconds) -> Option<NextGeneration> {
        let expires_at = capped(now.plus(refresh_ttl), self.absolute_expires_at);
        self.generation.next().map(|generation| NextGeneration { generation, rotated_at: now, expires_at })
    }

    /// The state that it is in, as a rotation wrote it.
    pub const fn current(&self) -> NextGeneration {
        NextGeneration { generation: self.generation, rotated_at: self.rotated_at, expires_at: self.expires_at }
    }

    /// The earlier of `moment` and the session's own end.
    pub fn cap(&self, moment: UnixTime) -> UnixTime {
        capped(moment, self.absolute_expires_at)
    }
}

fn capped(moment: UnixTime, end: Option<UnixTime>) -> UnixTime {
    end.map_or(moment, |end| moment.min(end))
}

/// What one rotation changes in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextGeneration {
    /// The generation of the new live token.
    pub generation: Generation,
    /// When it is issued.
    pub rotated_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// A session with its user, both read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOfUser {
    /// The session, in whatever state.
    pub session: Session,
    /// Its user, in whatever state.
    pub user: User,
}

/// What is known of the program that logged in, shown to its user in a list of devices. Never used in a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its network address.
    pub ip: Option<String>,
    /// What it calls itself; cut to [`MAX_USER_AGENT_CHARS`](Self::MAX_USER_AGENT_CHARS).
    pub user_agent: Option<String>,
}

impl ClientInfo {
    /// Longest description kept, in characters.
    pub const MAX_USER_AGENT_CHARS: usize = 255;

    /// A client at an address, which may call itself something. Control characters are left out.
    pub fn new(ip: Option<String>, user_agent: Option<&str>) -> Self {
        let visible = |text: &str| text.chars().filter(|c| !c.is_control()).take(Self::MAX_USER_AGENT_CHARS).collect();
        Self { ip, user_agent: user_agent.map(visible) }
    }
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevokeReason {
    /// Its user logged out of it.
    Logout,
    /// Its user logged out of all sessions, or of all others.
    LogoutAll,
    /// A spent token came back (RFC 9700 §4.14.2).
    Reuse,
    /// Its refresh token was blacklisted.
    Blacklisted,
    /// The password was changed.
    PasswordChanged,
    /// An administrator ended it.
    Administrator,
    /// The account had too many.
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

    /// The stable name, as it is stored.
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

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_end() {
        assert_eq!(Generation::FIRST.next(), Some(Generation::new(1)));
        assert_eq!(Generation::new(Generation::LAST.get() - 1).next(), Some(Generation::LAST));
        assert_eq!(Generation::LAST.next(), None);
        assert_eq!(Generation::new(u32::MAX), Generation::LAST);
    }

    #[test]
    fn reasons_are_found_by_their_names() {
        for reason in RevokeReason::ALL {
            assert_eq!(RevokeReason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(RevokeReason::from_name("boredom"), None);
    }

    #[test]
    fn what_a_client_calls_itself_is_cut_and_cleaned() {
        let client = ClientInfo::new(None, Some(&format!("a\r\nb\u{1b}[2J{}", "x".repeat(300))));
        let shown = client.user_agent.unwrap();
        assert!(shown.starts_with("ab[2Jx") && shown.chars().count() == 255);
    }
}
