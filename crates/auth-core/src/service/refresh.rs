//! Refresh: a refresh token for the next pair (RFC 6749 §6).

use crate::effects::Effects;
use crate::error::{AuthError, StoreError};
use crate::event::EventKind;
use crate::ports::Swap;
use crate::rotation::{Rotation, decide_rotation};
use crate::service::lookup::{Member, Membership};
use crate::service::{Refreshed, TokenService};
use crate::token::{CustomClaims, RawToken, RevokeReason, TokenClaims, TokenFault, TokenKind, is_multi_factor};
use crate::user::User;

impl TokenService {
    /// How often a refresh that lost a race loads and decides again. Losing once is enough to be spent; more happens
    /// to a store that aborts transactions, and where spent tokens stay good: there everybody wins in turn.
    const MAX_DECISIONS: usize = 64;

    /// Exchanges a refresh token for a new pair, or for an access token alone where the refresh token stays good
    /// ([`OnRefresh::Keep`](crate::rotation::OnRefresh::Keep)): load, decide, apply. Signing comes before the write, so that a
    /// failing signer leaves the old token live.
    pub async fn refresh(&self, presented: &RawToken) -> Result<Refreshed, AuthError> {
        let claims = self.read(presented).await?;
        claims.require(TokenKind::Refresh)?;
        let mut custom = None;
        for _ in 0..Self::MAX_DECISIONS {
            let member = match self.membership(&claims).await? {
                Membership::Member(member) => member,
                Membership::NoUser => return Err(AuthError::NoActiveAccount),
                Membership::SessionGone => return Err(TokenFault::UnknownSession.into()),
            };
            let session = &member.found.session;
            let (now, leeway) = (self.ports.clock.now(), self.policy.claim_rules.leeway);
            match decide_rotation(session, member.generation, now, &self.policy.rotation, leeway) {
                Rotation::Refuse(fault) => return self.refuse(&member, fault),
                Rotation::RevokeSession => return self.end_reused(&member).await,
                Rotation::Keep => {
                    let custom = self.claims_for(&member, &claims, custom).await?;
                    let access = self.sign_access(&member.found.user, session, &custom)?;
                    return Ok(Refreshed { access, refresh: None });
                }
                Rotation::Replay => {
                    let custom = self.claims_for(&member, &claims, custom).await?;
                    return Ok(self.sign_pair(&member.found.user, session, session.current(), &custom)?.into());
                }
                Rotation::Rotate(next) => {
                    let made = self.claims_for(&member, &claims, custom).await?;
                    let pair = self.sign_pair(&member.found.user, session, next, &made)?;
                    let effects = Self::rotation_effects(&member);
                    if self.ports.store.advance(session.id, session.generation, next, &effects).await? == Swap::Done {
                        self.ports.record_committed(&effects);
                        return Ok(pair.into());
                    }
                    custom = Some((member.found.user, made));
                }
            }
        }
        Err(StoreError::unavailable("the session keeps changing during its refresh").into())
    }

    /// The claims for the next tokens, made anew only if the account is another than it was the last time.
    async fn claims_for(
        &self,
        member: &Member,
        claims: &TokenClaims,
        made: Option<(User, CustomClaims)>,
    ) -> Result<CustomClaims, AuthError> {
        let user = &member.found.user;
        self.check_active(user)?;
        self.check_factor(user, &member.found.session.amr)?;
        match made {
            Some((as_it_was, made)) if as_it_was == *user => Ok(made),
            _ => self.custom_claims(user, self.inherited(claims)).await,
        }
    }

    /// Where a second factor is required, a session that began without one is not carried on: whoever became an
    /// administrator since, or logged in before it was required, logs in once more (SEC-134).
    pub(super) fn check_factor(&self, user: &User, shown: &str) -> Result<(), AuthError> {
        let is_required = self.policy.multi_factor_required_for.includes(user);
        if is_required && !is_multi_factor(shown) { Err(TokenFault::Revoked.into()) } else { Ok(()) }
    }

    /// The user is asked at each refresh (SEC-028): nothing is issued to an inactive account.
    pub(super) fn check_active(&self, user: &User) -> Result<(), AuthError> {
        if self.may_pass(user) { Ok(()) } else { Err(AuthError::NoActiveAccount) }
    }

    fn refuse(&self, member: &Member, fault: TokenFault) -> Result<Refreshed, AuthError> {
        if fault == TokenFault::NeverIssued {
            self.ports.record(member.event(EventKind::RefreshNeverIssued));
        }
        Err(fault.into())
    }

    async fn end_reused(&self, member: &Member) -> Result<Refreshed, AuthError> {
        let user = &member.found.user;
        let notices = self.ports.reuse_notices.as_ref().map_or_else(|| Ok(Effects::default()), |one| one.effects(user));
        // The session ends even if its user cannot be told.
        let (effects, failure) = match notices {
            Ok(effects) => (effects, None),
            Err(error) => (Effects::default(), Some(error)),
        };
        let effects = effects.with_event(member.event(EventKind::RefreshReused));
        // One event and one notice for each session, also when two replays come at once.
        self.end_session(member.found.session.id, RevokeReason::Reuse, &effects).await?;
        Err(failure.unwrap_or_else(|| TokenFault::Reused.into()))
    }
}
