//! What ends when somebody logs out, and whether a token of a session is still good.

use crate::rotation::OnRefresh;
use crate::time::{MAX_SKEW, Seconds, UnixTime};
use crate::token::{Generation, Session, TokenFault};
use crate::user::UserId;

/// What to do with a refresh token presented at a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// End its session.
    End,
    /// Its session has ended before.
    AlreadyEnded,
    /// It was never issued.
    NeverIssued,
    /// It is somebody else's (SEC-033).
    Foreign,
}

/// Decides what a logout of `caller` does with a refresh token of a session. A spent token of one's own session ends
/// that session too: it was meant to end, and the answer of the last refresh may have been lost (SEC-037).
///
/// ```
/// use auth_conformance::{at, session_id, session_of};
/// use auth_core::revocation::{Ending, decide_ending};
/// use auth_core::token::Generation;
/// use auth_core::user::UserId;
/// let (owner, other) = (UserId::new(1), UserId::new(2));
/// let session = session_of(&owner, session_id(1), at(0));
/// assert_eq!(decide_ending(&session, Generation::FIRST, &owner), Ending::End);
/// assert_eq!(decide_ending(&session, Generation::FIRST, &other), Ending::Foreign);
/// ```
pub fn decide_ending(session: &Session, presented: Generation, caller: &UserId) -> Ending {
    if session.user_id != *caller {
        Ending::Foreign
    } else if session.revoked_at.is_some() {
        Ending::AlreadyEnded
    } else if presented > session.generation {
        Ending::NeverIssued
    } else {
        Ending::End
    }
}

/// Whether a refresh token of a session would still be exchanged, as far as the session is concerned. Changes nothing
/// and accuses nobody: for those who only ask.
pub fn standing(session: &Session, presented: Generation, on_refresh: OnRefresh) -> Result<(), TokenFault> {
    if session.revoked_at.is_some() {
        Err(TokenFault::Revoked)
    } else if presented < session.generation && on_refresh != OnRefresh::KeepAndRotate {
        Err(TokenFault::Spent)
    } else if presented > session.generation {
        Err(TokenFault::NeverIssued)
    } else {
        Ok(())
    }
}

/// The `token_epoch` of an account after something ended all its logins at `now`: later than it was, also when that
/// was in the same second, or the clock has gone back since. A login that was under way then cannot mistake one epoch
/// for another, and nothing that was shut out before gets in again.
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

/// Whether a token of no session was issued before all logins of its account were ended. An epoch that was never moved
/// stands at the start of time, 1970-01-01, and precedes every token, also one that does not say when it was issued.
pub fn predates_epoch(issued_at: Option<UnixTime>, epoch: UnixTime) -> bool {
    epoch > UnixTime::default() && issued_at.is_none_or(|issued_at| issued_at <= epoch)
}

/// Whether a token of no session may have been issued after the account first had a second factor, which its issuer did not
/// ask for. One that does not say when it was issued may, and so may one whose issuer's clock is behind ours by at most
/// [`MAX_SKEW`].
pub fn follows_factor(issued_at: Option<UnixTime>, on_since: Option<UnixTime>) -> bool {
    let latest = |issued_at: UnixTime| issued_at.plus(MAX_SKEW);
    on_since.is_some_and(|since| issued_at.is_none_or(|issued_at| latest(issued_at) >= since))
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
    fn every_logout() {
        for (revoked, presented, caller, expected) in [
            (false, 5, OWNER, Ending::End),
            (false, 4, OWNER, Ending::End),
            (false, 0, OWNER, Ending::End),
            (false, 6, OWNER, Ending::NeverIssued),
            (true, 5, OWNER, Ending::AlreadyEnded),
            (true, 4, OWNER, Ending::AlreadyEnded),
            (true, 6, OWNER, Ending::AlreadyEnded),
            (false, 5, OTHER, Ending::Foreign),
            (false, 4, OTHER, Ending::Foreign),
            (true, 5, OTHER, Ending::Foreign),
        ] {
            let decision = decide_ending(&session(revoked), Generation::new(presented), &caller);
            assert_eq!(decision, expected, "revoked: {revoked}, generation {presented}, {caller:?}");
        }
    }

    #[test]
    fn an_epoch_only_moves_on() {
        for (epoch, now, expected) in
            [(0, 1_000, 1_000), (999, 1_000, 1_000), (1_000, 1_000, 1_001), (5_000, 1_000, 5_001)]
        {
            let at = UnixTime::from_seconds;
            assert_eq!(next_epoch(at(epoch), at(now)), at(expected), "{epoch} at {now}");
        }
    }

    #[test]
    fn a_token_is_older_than_an_epoch_that_was_moved() {
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
    fn a_token_follows_a_factor_unless_it_is_older() {
        for (issued_at, on_since, expected) in [
            (Some(1_000), None, false),
            (None, None, false),
            (Some(939), Some(1_000), false),
            (Some(940), Some(1_000), true),
            (Some(1_001), Some(1_000), true),
            (None, Some(1_000), true),
        ] {
            let at = |seconds: Option<i64>| seconds.map(UnixTime::from_seconds);
            assert_eq!(follows_factor(at(issued_at), at(on_since)), expected, "{issued_at:?} {on_since:?}");
        }
    }

    #[test]
    fn every_standing() {
        use OnRefresh::{Keep, KeepAndRotate, Spend};
        for (revoked, presented, on_refresh, expected) in [
            (false, 4, Spend, Err(TokenFault::Spent)),
            (false, 4, Keep, Err(TokenFault::Spent)),
            (false, 4, KeepAndRotate, Ok(())),
            (false, 5, Spend, Ok(())),
            (false, 5, KeepAndRotate, Ok(())),
            (false, 6, Spend, Err(TokenFault::NeverIssued)),
            (false, 6, KeepAndRotate, Err(TokenFault::NeverIssued)),
            (true, 4, Spend, Err(TokenFault::Revoked)),
            (true, 4, KeepAndRotate, Err(TokenFault::Revoked)),
            (true, 5, Spend, Err(TokenFault::Revoked)),
        ] {
            assert_eq!(standing(&session(revoked), Generation::new(presented), on_refresh), expected);
        }
    }
}
