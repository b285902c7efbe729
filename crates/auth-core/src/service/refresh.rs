//! Refresh: the exchange of a refresh token (RFC 6749 §6).

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
    /// How often a refresh that lost a race loads and decides again. Usually the token is used after the first race;
    /// there can be more if the storage aborts transactions, or if older tokens stay live, so that every refresh wins
    /// in turn.
    const MAX_DECISIONS: usize = 64;

    /// Exchanges a refresh token for a new pair, or for an access token alone where the refresh token stays live
    /// ([`OnRefresh::Keep`](crate::rotation::OnRefresh::Keep)).
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted, with [`TokenFault::Reused`] if its session was revoked for
    /// this reason (RFC 9700 §4.14.2); [`AuthError::NoActiveAccount`]; [`AuthError::Store`]; [`AuthError::Unavailable`]
    /// if a claims provider fails, and [`AuthError::Crypto`] if signing fails, which both leave the presented token
    /// live.
    pub async fn refresh(&self, presented: &RawToken) -> Result<Refreshed, AuthError> {
        let claims = self.read(presented).await?;
        claims.require(TokenKind::Refresh)?;
        let mut earlier = None;
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
                    let custom = self.claims_for(&member, &claims, earlier).await?;
                    let access = self.sign_access(&member.found.user, session, &custom)?;
                    return Ok(Refreshed { access, refresh: None });
                }
                Rotation::Replay => {
                    let custom = self.claims_for(&member, &claims, earlier).await?;
                    return Ok(self.sign_pair(&member.found.user, session, session.current(), &custom)?.into());
                }
                Rotation::Rotate(next) => {
                    let custom = self.claims_for(&member, &claims, earlier).await?;
                    // Sign before the write, so that a failing signer leaves the presented token live.
                    let pair = self.sign_pair(&member.found.user, session, next, &custom)?;
                    let effects = Self::rotation_effects(&member);
                    if self.ports.store.advance(session.id, session.generation, next, &effects).await? == Swap::Done {
                        self.ports.record_committed(&effects);
                        return Ok(pair.into());
                    }
                    earlier = Some((member.found.user, custom));
                }
            }
        }
        Err(StoreError::unavailable("the session keeps changing during its refresh").into())
    }

    /// The custom claims of the next tokens. Those of an earlier attempt are used again if the user is unchanged.
    async fn claims_for(
        &self,
        member: &Member,
        claims: &TokenClaims,
        earlier: Option<(User, CustomClaims)>,
    ) -> Result<CustomClaims, AuthError> {
        let user = &member.found.user;
        self.check_active(user)?;
        self.check_factor(user, &member.found.session.amr)?;
        match earlier {
            Some((earlier_user, custom)) if earlier_user == *user => Ok(custom),
            _ => self.custom_claims(user, self.inherited(claims)).await,
        }
    }

    /// Refuses to continue a session that started without a second factor if one is required now, because the user was
    /// made staff or the policy was changed since: the user must log in again (SEC-134).
    pub(super) fn check_factor(&self, user: &User, amr: &str) -> Result<(), AuthError> {
        let is_required = self.policy.multi_factor_required_for.includes(user);
        if is_required && !is_multi_factor(amr) { Err(TokenFault::Revoked.into()) } else { Ok(()) }
    }

    /// Refuses tokens to an inactive user, unless the policy accepts them (SEC-028).
    pub(super) fn check_active(&self, user: &User) -> Result<(), AuthError> {
        if self.is_admitted(user) { Ok(()) } else { Err(AuthError::NoActiveAccount) }
    }

    fn refuse(&self, member: &Member, fault: TokenFault) -> Result<Refreshed, AuthError> {
        if fault == TokenFault::NeverIssued {
            self.ports.record(member.event(EventKind::RefreshNeverIssued));
        }
        Err(fault.into())
    }

    async fn end_reused(&self, member: &Member) -> Result<Refreshed, AuthError> {
        let user = &member.found.user;
        let notices =
            self.ports.reuse_notices.as_ref().map_or_else(|| Ok(Effects::default()), |notices| notices.effects(user));
        // The session is revoked even if the notice cannot be created.
        let (effects, failure) = match notices {
            Ok(effects) => (effects, None),
            Err(error) => (Effects::default(), Some(error)),
        };
        let effects = effects.with_event(member.event(EventKind::RefreshReused));
        // Of concurrent calls only one revokes the session, so there is one event and one notice.
        self.end_session(member.found.session.id, RevokeReason::Reuse, &effects).await?;
        Err(failure.unwrap_or_else(|| TokenFault::Reused.into()))
    }
}
