//! Refresh: a refresh token for the next pair (RFC 6749 §6).

use crate::account::User;
use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::ports::Swap;
use crate::rotation::{Rotation, decide_rotation};
use crate::service::membership::{Member, Membership};
use crate::service::{Refreshed, TokenService};
use crate::token::{NextGeneration, RawToken, RevokeReason, SessionOfUser, TokenClaims, TokenFault, TokenKind};

impl TokenService {
    /// How often a refresh that lost a race loads and decides again. Losing once is enough to be spent; more happens
    /// to a store that aborts transactions, and where spent tokens stay good: there everybody wins in turn.
    const MAX_DECISIONS: usize = 64;

    /// Exchanges a refresh token for a new pair: load, decide, apply. Signing comes before the write, so that a
    /// failing signer leaves the old token live.
    pub async fn refresh(&self, presented: &RawToken) -> Result<Refreshed, AuthError> {
        let claims = self.read(presented).await?;
        claims.expect(TokenKind::Refresh)?;
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
                Rotation::Keep => return self.access_for(&member, &claims).await,
                Rotation::Replay => return self.pair_for(&member, session.current(), &claims).await,
                Rotation::Rotate(next) => {
                    let pair = self.pair_for(&member, next, &claims).await?;
                    if self.ports.store.advance(session.id, session.generation, next).await? == Swap::Done {
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

    async fn pair_for(
        &self,
        member: &Member,
        next: NextGeneration,
        claims: &TokenClaims,
    ) -> Result<Refreshed, AuthError> {
        let SessionOfUser { session, user } = &member.found;
        self.check_active(user)?;
        let custom = self.custom_claims(user, self.inherited(claims)).await?;
        Ok(self.sign_pair(user, session, next, &custom)?.into())
    }

    async fn access_for(&self, member: &Member, claims: &TokenClaims) -> Result<Refreshed, AuthError> {
        let SessionOfUser { session, user } = &member.found;
        self.check_active(user)?;
        let custom = self.custom_claims(user, self.inherited(claims)).await?;
        Ok(Refreshed { access: self.sign_access(user, session, &custom)?, refresh: None })
    }

    /// The user is asked at each refresh (SEC-028): nothing is issued to an inactive account.
    pub(super) fn check_active(&self, user: &User) -> Result<(), AuthError> {
        if user.is_active || !self.policy.check_user_is_active { Ok(()) } else { Err(AuthError::NoActiveAccount) }
    }

    fn refuse(&self, member: &Member, fault: TokenFault) -> Result<Refreshed, AuthError> {
        if fault == TokenFault::NeverIssued {
            self.record(EventKind::RefreshNeverIssued, member);
        }
        Err(fault.into())
    }

    async fn end_reused(&self, member: &Member) -> Result<Refreshed, AuthError> {
        let now = self.ports.clock.now();
        // One event for each session, also when two replays come at once.
        if self.ports.store.revoke(member.found.session.id, RevokeReason::Reuse, now).await? {
            self.ports.note_ended(member.found.session.id);
            self.record(EventKind::RefreshReused, member);
        }
        Err(TokenFault::Reused.into())
    }

    pub(super) fn record(&self, kind: EventKind, member: &Member) {
        let found = &member.found;
        self.ports.record(SecurityEvent::of_session(kind, found.user.id, found.session.id));
    }
}
