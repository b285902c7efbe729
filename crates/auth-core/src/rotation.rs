//! The decision about a presented refresh token.

use std::cmp::Ordering;

use crate::time::{Seconds, UnixTime};
use crate::token::{Generation, NextGeneration, Session, TokenFault};

/// The rules for the exchange of refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// The lifetime of a refresh token; each rotation starts it again.
    pub refresh_ttl: Seconds,
    /// The replay window: how long after a rotation the used token counts as a retry instead of as stolen; 0 turns it
    /// off (SEC-024).
    pub retry_window: Seconds,
    /// What a retry gets.
    pub on_retry: OnRetry,
    /// What an exchange does to the presented token.
    pub on_refresh: OnRefresh,
}

/// What an exchange does to the presented token. Only [`Rotate`](Self::Rotate) has reuse detection: otherwise a stolen
/// token can be exchanged until it expires, and this goes unnoticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRefresh {
    /// The presented token becomes used, and a successor is issued (RFC 9700 §4.14.2).
    #[default]
    Rotate,
    /// The presented token stays live, and a successor is issued as well (SimpleJWT: `BLACKLIST_AFTER_ROTATION` off).
    KeepAndRotate,
    /// The presented token stays live, and only an access token is issued (SimpleJWT: `ROTATE_REFRESH_TOKENS` off).
    Keep,
}

impl Default for RotationPolicy {
    /// A lifetime of 7 days; rotation, with a replay window of 10 seconds in which retries are refused.
    fn default() -> Self {
        Self {
            refresh_ttl: Seconds::new(7 * 24 * 60 * 60),
            retry_window: Seconds::new(10),
            on_retry: OnRetry::Refuse,
            on_refresh: OnRefresh::Rotate,
        }
    }
}

/// What a retry gets: a used token within the replay window, where a lost response or a second tab is more likely than
/// a stolen token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRetry {
    /// A refusal; the session is not revoked.
    Refuse,
    /// The same successor again.
    Replay,
}

/// What to do with a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Exchange it: it is the live token, or an older one that stays live ([`OnRefresh::KeepAndRotate`]).
    Rotate(NextGeneration),
    /// Issue an access token only; the refresh token stays live ([`OnRefresh::Keep`]).
    Keep,
    /// Return the same successor again: it is a retry.
    Replay,
    /// Refuse it; nothing changes.
    Refuse(TokenFault),
    /// Revoke the session and refuse the token, which was reused (RFC 9700 §4.14.2).
    RevokeSession,
}

/// Decides what to do with a presented refresh token of a session.
///
/// A used token that is presented again means that two parties hold it, so its session is revoked (RFC 9700 §4.14.2).
/// The exception is the direct predecessor of the live token within the replay window, which counts as a retry
/// (SEC-024, SEC-024a). With [`OnRefresh::KeepAndRotate`] no token becomes used. A successor never outlives the
/// session.
///
/// `leeway` is how long after its expiry a token is still exchanged: the [`leeway`](crate::token::ClaimRules::leeway)
/// that the claims of the token were read with.
///
/// ```
/// # use auth_core::rotation::*; use auth_core::token::*; use auth_core::{user::UserId, time::*};
/// # let at = UnixTime::from_seconds;
/// # let session = Session { id: SessionId::from_bytes([1; 16]), user_id: UserId::new(1), generation: Generation::new(5),
/// #     rotated_at: at(100), created_at: at(0), last_used_at: at(100), expires_at: at(700), absolute_expires_at: None,
/// #     revoked_at: None, revoke_reason: None, amr: String::new(), authenticated_at: at(0),
/// #     client: ClientInfo::default() };
/// let policy = RotationPolicy { refresh_ttl: Seconds::new(600), ..RotationPolicy::default() };
/// let decide = |generation, now| {
///     decide_rotation(&session, Generation::new(generation), at(now), &policy, Seconds::new(0))
/// };
/// assert!(matches!(decide(5, 300), Rotation::Rotate(next) if next.generation == Generation::new(6)));
/// assert_eq!(decide(4, 105), Rotation::Refuse(TokenFault::Used));
/// assert_eq!(decide(4, 110), Rotation::RevokeSession);
/// ```
pub fn decide_rotation(
    session: &Session,
    presented: Generation,
    now: UnixTime,
    policy: &RotationPolicy,
    leeway: Seconds,
) -> Rotation {
    if session.revoked_at.is_some() {
        return Rotation::Refuse(TokenFault::Revoked);
    }
    match presented.cmp(&session.generation) {
        Ordering::Greater => Rotation::Refuse(TokenFault::NeverIssued),
        Ordering::Less if policy.on_refresh != OnRefresh::KeepAndRotate => decide_used(session, presented, now, policy),
        Ordering::Less | Ordering::Equal => decide_live(session, now, policy, leeway),
    }
}

fn decide_live(session: &Session, now: UnixTime, policy: &RotationPolicy, leeway: Seconds) -> Rotation {
    let expires_at = session.cap(session.expires_at).plus(leeway);
    if expires_at <= now {
        Rotation::Refuse(TokenFault::Expired)
    } else if policy.on_refresh == OnRefresh::Keep {
        Rotation::Keep
    } else {
        session.next(now, policy.refresh_ttl).map_or(Rotation::Refuse(TokenFault::Expired), Rotation::Rotate)
    }
}

fn decide_used(session: &Session, presented: Generation, now: UnixTime, policy: &RotationPolicy) -> Rotation {
    if !is_retry(session, presented, now, policy.retry_window) {
        return Rotation::RevokeSession;
    }
    match policy.on_retry {
        OnRetry::Replay => Rotation::Replay,
        OnRetry::Refuse => Rotation::Refuse(TokenFault::Used),
    }
}

/// Whether a used token is the direct predecessor of the live one, within the replay window. The window extends to both
/// sides of the rotation, because the clock of another replica may be behind.
fn is_retry(session: &Session, presented: Generation, now: UnixTime, window: Seconds) -> bool {
    presented.next() == Some(session.generation) && session.rotated_at.distance(now) < window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{ClientInfo, RevokeReason, SessionId};
    use crate::user::UserId;

    const ROTATED_AT: i64 = 1_000;
    const REFUSE: RotationPolicy = RotationPolicy {
        refresh_ttl: Seconds::new(600),
        retry_window: Seconds::new(10),
        on_retry: OnRetry::Refuse,
        on_refresh: OnRefresh::Rotate,
    };
    const REPLAY: RotationPolicy = RotationPolicy { on_retry: OnRetry::Replay, ..REFUSE };
    const NO_WINDOW: RotationPolicy = RotationPolicy { retry_window: Seconds::new(0), ..REPLAY };
    const KEEP: RotationPolicy = RotationPolicy { on_refresh: OnRefresh::Keep, ..REFUSE };
    const ROTATE_ONLY: RotationPolicy = RotationPolicy { on_refresh: OnRefresh::KeepAndRotate, ..REFUSE };
    const NO_LEEWAY: Seconds = Seconds::new(0);

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    /// A session at generation 5, rotated at 1,000, whose token lives for 600 s; the session ends at 2,000.
    fn session() -> Session {
        Session {
            id: SessionId::from_bytes([7; 16]),
            user_id: UserId::new(1),
            generation: Generation::new(5),
            rotated_at: at(ROTATED_AT),
            created_at: at(0),
            last_used_at: at(ROTATED_AT),
            expires_at: at(ROTATED_AT + 600),
            absolute_expires_at: Some(at(2_000)),
            revoked_at: None,
            revoke_reason: None,
            amr: "pwd".to_owned(),
            authenticated_at: at(0),
            client: ClientInfo::default(),
        }
    }

    fn rotated_to_6(now: i64, expires_at: i64) -> Rotation {
        let generation = Generation::new(6);
        Rotation::Rotate(NextGeneration { generation, rotated_at: at(now), expires_at: at(expires_at) })
    }

    #[test]
    fn decisions_at_every_boundary() {
        use Rotation::{Refuse, Replay, RevokeSession};
        use TokenFault::{Expired, NeverIssued, Used};
        for (policy, presented, now, expected) in [
            // The live token, until it expires.
            (REFUSE, 5, 1_000, rotated_to_6(1_000, 1_600)),
            (REFUSE, 5, 1_400, rotated_to_6(1_400, 2_000)),
            (REFUSE, 5, 1_401, rotated_to_6(1_401, 2_000)),
            (REFUSE, 5, 1_599, rotated_to_6(1_599, 2_000)),
            (REFUSE, 5, 1_600, Refuse(Expired)),
            (REFUSE, 5, 1_601, Refuse(Expired)),
            // Its predecessor, around the bounds of the replay window.
            (REFUSE, 4, 1_000, Refuse(Used)),
            (REFUSE, 4, 1_009, Refuse(Used)),
            (REFUSE, 4, 1_010, RevokeSession),
            (REFUSE, 4, 991, Refuse(Used)),
            (REFUSE, 4, 990, RevokeSession),
            (REPLAY, 4, 1_009, Replay),
            (REPLAY, 4, 1_010, RevokeSession),
            (NO_WINDOW, 4, 1_000, RevokeSession),
            // Older tokens have no replay window (SEC-024a).
            (REPLAY, 3, 1_000, RevokeSession),
            (REPLAY, 0, 1_000, RevokeSession),
            (REFUSE, 3, 1_000, RevokeSession),
            // Tokens that stay live: the current one only, or every issued one.
            (KEEP, 5, 1_599, Rotation::Keep),
            (KEEP, 5, 1_600, Refuse(Expired)),
            (KEEP, 4, 1_599, RevokeSession),
            (KEEP, 6, 1_000, Refuse(NeverIssued)),
            (ROTATE_ONLY, 5, 1_000, rotated_to_6(1_000, 1_600)),
            (ROTATE_ONLY, 4, 1_599, rotated_to_6(1_599, 2_000)),
            (ROTATE_ONLY, 0, 1_599, rotated_to_6(1_599, 2_000)),
            (ROTATE_ONLY, 0, 1_600, Refuse(Expired)),
            (ROTATE_ONLY, 6, 1_000, Refuse(NeverIssued)),
            // Never issued.
            (REFUSE, 6, 1_000, Refuse(NeverIssued)),
            (REPLAY, Generation::LAST.get(), 1_000, Refuse(NeverIssued)),
        ] {
            let decision = decide_rotation(&session(), Generation::new(presented), at(now), &policy, NO_LEEWAY);
            assert_eq!(decision, expected, "generation {presented} at {now}, {policy:?}");
        }
    }

    #[test]
    fn leeway_extends_the_lifetime_of_a_token() {
        for (now, expected) in [(1_629, rotated_to_6(1_629, 2_000)), (1_630, Rotation::Refuse(TokenFault::Expired))] {
            let decision = decide_rotation(&session(), Generation::new(5), at(now), &REFUSE, Seconds::new(30));
            assert_eq!(decision, expected, "{now}");
        }
    }

    #[test]
    fn no_token_of_a_revoked_session_is_exchanged() {
        let mut revoked = session();
        revoked.revoked_at = Some(at(1_001));
        revoked.revoke_reason = Some(RevokeReason::Logout);
        for presented in 0..8 {
            for policy in [REFUSE, REPLAY, NO_WINDOW, KEEP, ROTATE_ONLY] {
                let decision = decide_rotation(&revoked, Generation::new(presented), at(1_002), &policy, NO_LEEWAY);
                assert_eq!(decision, Rotation::Refuse(TokenFault::Revoked));
            }
        }
    }

    #[test]
    fn a_token_expires_with_its_session_at_the_latest() {
        let mut shortened = session();
        shortened.absolute_expires_at = Some(at(1_200));
        let decide = |now| decide_rotation(&shortened, Generation::new(5), at(now), &REFUSE, NO_LEEWAY);
        assert_eq!(decide(1_199), rotated_to_6(1_199, 1_200));
        assert_eq!(decide(1_200), Rotation::Refuse(TokenFault::Expired));
    }

    #[test]
    fn a_session_without_an_absolute_lifetime_slides() {
        let endless = Session { absolute_expires_at: None, ..session() };
        let decision = decide_rotation(&endless, Generation::new(5), at(1_599), &REFUSE, NO_LEEWAY);
        assert_eq!(decision, rotated_to_6(1_599, 2_199));
    }

    #[test]
    fn the_last_generation_has_no_successor() {
        let last = Session { generation: Generation::LAST, ..session() };
        let decision = decide_rotation(&last, Generation::LAST, at(1_000), &REFUSE, NO_LEEWAY);
        assert_eq!(decision, Rotation::Refuse(TokenFault::Expired));
    }
}
