//! Refresh: a refresh token for the next pair (RFC 6749 §6).

use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::ports::Swap;
use crate::rotation::{Rotation, decide_rotation};
use crate::service::membership::{Member, Membership};
use crate::service::{TokenPair, TokenService};
use crate::token::{NextGeneration, Payload, RawToken, RevokeReason, TokenFault};

impl TokenService {
    /// How often a refresh that lost a race loads and decides again. Losing once is enough to be spent; more happens
    /// only to a store that aborts transactions.
    const MAX_DECISIONS: usize = 4;

    /// Exchanges a refresh token for a new pair: load, decide, apply. Signing comes before the write, so that a
    /// failing signer leaves the old token live.
    pub async fn refresh(&self, presented: &RawToken) -> Result<TokenPair, AuthError> {
        let claims = self.read(presented)?;
        for _ in 0..Self::MAX_DECISIONS {
            let member = match self.membership(&claims).await? {
                Membership::Member(member) => member,
                Membership::NoUser => return Err(AuthError::NoActiveAccount),
                Membership::SessionGone => return Err(TokenFault::UnknownSession.into()),
            };
            let session = &member.found.session;
            match decide_rotation(session, member.generation, self.ports.clock.now(), &self.policy.rotation) {
                Rotation::Refuse(fault) => return self.refuse(&member, fault),
                Rotation::RevokeSession => return self.end_reused(&member).await,
                Rotation::Replay => return self.pair_for(&member, session.current(), &claims.custom),
                Rotation::Rotate(next) => {
                    let pair = self.pair_for(&member, next, &claims.custom)?;
                    if self.ports.store.advance(session.id, member.generation, next).await? == Swap::Done {
                        if member.is_foreign {
                            self.record(EventKind::TokenAdopted, &member);
                        }
                        return Ok(pair);
                    }
                }
            }
        }
        Err(StoreError::unavailable("the session keeps changing during its refresh").into())
    }

    /// The user is asked at each refresh (SEC-028): nothing is issued to an inactive account.
    fn pair_for(&self, member: &Member, next: NextGeneration, inherited: &Payload) -> Result<TokenPair, AuthError> {
        if !member.found.user.is_active {
            return Err(AuthError::NoActiveAccount);
        }
        self.sign_pair(&member.found.user, &member.found.session, next, inherited)
    }

    fn refuse(&self, member: &Member, fault: TokenFault) -> Result<TokenPair, AuthError> {
        if fault == TokenFault::NeverIssued {
            self.record(EventKind::RefreshNeverIssued, member);
        }
        Err(fault.into())
    }

    async fn end_reused(&self, member: &Member) -> Result<TokenPair, AuthError> {
        let now = self.ports.clock.now();
        // One event for each session, also when two replays come at once.
        if self.ports.store.revoke(member.found.session.id, RevokeReason::Reuse, now).await? {
            self.record(EventKind::RefreshReused, member);
        }
        Err(TokenFault::Reused.into())
    }

    pub(super) fn record(&self, kind: EventKind, member: &Member) {
        let found = &member.found;
        self.ports.record(SecurityEvent::of_session(kind, found.user.id, found.session.id));
    }
}
