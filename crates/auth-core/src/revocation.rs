//! What a logout ends, and whether a token is still valid after a revocation.

use crate::rotation::OnRefresh;
use crate::time::{MAX_SKEW, Seconds, UnixTime};
use crate::token::{Generation, Session, TokenFault};
use crate::user::UserId;

/// What to do with a refresh token presented at a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Revoke its session.
    End,
    /// Its session is revoked already.
    AlreadyEnded,
    /// Its rotation generation was never issued.
    NeverIssued,
    /// It belongs to another user (SEC-033).
    OtherUser,
}

/// Decides what a logout of `caller` does with a refresh token of a session. A used token of the caller's own session
/// ends that session too, because the response to the last refresh may have been lost (SEC-037).
///
/// ```
/// use auth_conformance::{at, session_id, session_of};
/// use auth_core::revocation::{Ending, decide_ending};
/// use auth_core::token::Generation;
/// use auth_core::user::UserId;
/// let (owner, other) = (UserId::new(1), UserId::new(2));
/// let session = session_of(&owner, session_id(1), at(0));
/// assert_eq!(decide_ending(&session, Generation::FIRST, &owner), Ending::End);
/// assert_eq!(decide_ending(&session, Generation::FIRST, &other), Ending::OtherUser);
/// ```
pub fn decide_ending(session: &Session, presented: Generation, caller: &UserId) -> Ending {
    if session.user_id != *caller {
        Ending::OtherUser
    } else if session.revoked_at.is_some() {
        Ending::AlreadyEnded
    } else if presented > session.generation {
        Ending::NeverIssued
    } else {
        Ending::End
    }
}

/// Whether a refresh token is live, as far as its session decides it. For verification, where a used token is not a
/// sign of reuse.
///
/// # Errors
/// [`TokenFault::Revoked`], [`TokenFault::Used`] or [`TokenFault::NeverIssued`].
pub fn standing(session: &Session, presented: Generation, on_refresh: OnRefresh) -> Result<(), TokenFault> {
    if session.revoked_at.is_some() {
        Err(TokenFault::Revoked)
    } else if presented < session.generation && on_refresh != OnRefresh::KeepAndRotate {
        Err(TokenFault::Used)
    } else if presented > session.generation {
        Err(TokenFault::NeverIssued)
    } else {
        Ok(())
    }
}

/// The token epoch of an account after all its sessions were revoked at `now`. It is always later than `epoch`, even
/// within one second or after the clock was set back, so that a token refused before is never accepted again.
///
/// ```
/// use auth_core::revocation::next_epoch;
/// use auth_core::time::UnixTime;
/// let at = UnixTime::from_seconds;
/// assert_eq!(next_epoch(at(5), at(1_000)), at(1_000));
/// assert_eq!(next_epoch(at(1_000), at(1_000)), at(1_001));
/// ```
pub fn next_epoch(epoch: UnixTime, now: UnixTime) -> UnixTime {
    now.max(epoch.plus(Seconds::new(1)))
}

/// Whether a token without a session was issued before all sessions of its account were last revoked. An epoch of
/// 1970-01-01 was never advanced, and no token predates it; a token without `iat` predates every other epoch.
pub fn predates_epoch(issued_at: Option<UnixTime>, epoch: UnixTime) -> bool {
    epoch > UnixTime::default() && issued_at.is_none_or(|issued_at| issued_at <= epoch)
}

/// Whether a token without a session may have been issued after the account got its second factors, which its issuer
/// did not ask for. True for a token without `iat`. The clock of the issuer may be behind by up to [`MAX_SKEW`].
pub fn follows_factor(issued_at: Option<UnixTime>, multi_factor_since: Option<UnixTime>) -> bool {
    let latest = |issued_at: UnixTime| issued_at.plus(MAX_SKEW);
    multi_factor_since.is_some_and(|since| issued_at.is_none_or(|issued_at| latest(issued_at) >= since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{ClientInfo, SessionId};

    const OWNER: UserId = UserId::new(1);
    const OTHER: UserId = UserId::new(2);

    fn session(revoked: bool) -> Session {
        let at = UnixTime::from_seconds;
        Session {
            id: SessionId::from_bytes([7; 16]),
            user_id: OWNER,
            generation: Generation::new(5),
            rotated_at: at(1_000),
            created_at: at(0),
            last_used_at: at(1_000),
            expires_at: at(1_600),
            absolute_expires_at: None,
            revoked_at: revoked.then_some(at(1_001)),
            revoke_reason: None,
            amr: String::new(),
            authenticated_at: at(0),
            client: ClientInfo::default(),
        }
    }

    #[test]
    fn endings_of_every_presented_token() {
        for (revoked, presented, caller, expected) in [
            (false, 5, OWNER, Ending::End),
            (false, 4, OWNER, Ending::End),
            (false, 0, OWNER, Ending::End),
            (false, 6, OWNER, Ending::NeverIssued),
            (true, 5, OWNER, Ending::AlreadyEnded),
            (true, 4, OWNER, Ending::AlreadyEnded),
            (true, 6, OWNER, Ending::AlreadyEnded),
            (false, 5, OTHER, Ending::OtherUser),
            (false, 4, OTHER, Ending::OtherUser),
            (true, 5, OTHER, Ending::OtherUser),
        ] {
            let decision = decide_ending(&session(revoked), Generation::new(presented), &caller);
            assert_eq!(decision, expected, "revoked: {revoked}, generation {presented}, {caller:?}");
        }
    }

    #[test]
    fn the_token_epoch_always_advances() {
        for (epoch, now, expected) in
            [(0, 1_000, 1_000), (999, 1_000, 1_000), (1_000, 1_000, 1_001), (5_000, 1_000, 5_001)]
        {
            let at = UnixTime::from_seconds;
            assert_eq!(next_epoch(at(epoch), at(now)), at(expected), "{epoch} at {now}");
        }
    }

    #[test]
    fn tokens_without_iat_or_issued_up_to_the_epoch_predate_it() {
        for (issued_at, epoch, expected) in [
            (Some(1), 0, false),
            (None, 0, false),
            (None, 1_000, true),
            (Some(999), 1_000, true),
            (Some(1_000), 1_000, true),
            (Some(1_001), 1_000, false),
        ] {
            let at = UnixTime::from_seconds;
            assert_eq!(predates_epoch(issued_at.map(at), at(epoch)), expected, "{issued_at:?} {epoch}");
        }
    }

    #[test]
    fn tokens_follow_a_factor_unless_issued_before_it_by_more_than_the_skew() {
        for (issued_at, since, expected) in [
            (Some(1_000), None, false),
            (None, None, false),
            (Some(939), Some(1_000), false),
            (Some(940), Some(1_000), true),
            (Some(1_001), Some(1_000), true),
            (None, Some(1_000), true),
        ] {
            let at = |seconds: Option<i64>| seconds.map(UnixTime::from_seconds);
            assert_eq!(follows_factor(at(issued_at), at(since)), expected, "{issued_at:?} {since:?}");
        }
    }

    #[test]
    fn standing_of_every_presented_token() {
        use OnRefresh::{Keep, KeepAndRotate, Rotate};
        for (revoked, presented, on_refresh, expected) in [
            (false, 4, Rotate, Err(TokenFault::Used)),
            (false, 4, Keep, Err(TokenFault::Used)),
            (false, 4, KeepAndRotate, Ok(())),
            (false, 5, Rotate, Ok(())),
            (false, 5, KeepAndRotate, Ok(())),
            (false, 6, Rotate, Err(TokenFault::NeverIssued)),
            (false, 6, KeepAndRotate, Err(TokenFault::NeverIssued)),
            (true, 4, Rotate, Err(TokenFault::Revoked)),
            (true, 4, KeepAndRotate, Err(TokenFault::Revoked)),
            (true, 5, Rotate, Err(TokenFault::Revoked)),
        ] {
            assert_eq!(standing(&session(revoked), Generation::new(presented), on_refresh), expected);
        }
    }
}
