//! Adoption: how an externally issued token becomes a session. Such a token names no session; a refresh token or a
//! sliding token is adopted when it is first refreshed or revoked.

use crate::effects::Effects;
use crate::error::AuthError;
use crate::event::EventKind;
use crate::ports::Adoption;
use crate::service::TokenService;
use crate::service::lookup::{Member, Membership};
use crate::time::UnixTime;
use crate::token::{
    ClientInfo, Generation, Session, SessionId, SessionOfUser, TokenClaims, TokenFault, TokenId, TokenKind,
};
use crate::user::User;

/// The ID of the session that a token belongs to: the one that it names, or the one that it is adopted as. `None` for
/// an access token that names no session, which is never adopted.
pub(super) fn session_id(claims: &TokenClaims, jti: &TokenId) -> Option<SessionId> {
    let is_adopted = claims.is(TokenKind::Refresh) || claims.is(TokenKind::Sliding);
    claims.session.or_else(|| is_adopted.then(|| SessionId::adopted(jti)))
}

impl TokenService {
    /// Creates the session of a token that names none, or finds the one that an earlier call created.
    ///
    /// # Errors
    /// [`TokenFault::UnknownSession`] if the policy adopts no tokens, or a key of another issuer signed it;
    /// [`TokenFault::Revoked`] if the token is in the blacklist, if all sessions of its user were revoked since it was
    /// issued, if it may have been issued for another user, or if its user has or needs a second factor that its issuer
    /// did not ask for; [`TokenFault::BadClaim`] if its session belongs to another user.
    pub(super) async fn adopt(
        &self,
        claims: &TokenClaims,
        jti: &TokenId,
        expires_at: UnixTime,
    ) -> Result<Membership, AuthError> {
        if !self.policy.adopt_external_tokens || !claims.is_own {
            return Err(TokenFault::UnknownSession.into());
        }
        let Some(user) = self.user_of(claims).await? else { return Ok(Membership::NoUser) };
        let is_required = self.policy.multi_factor_required_for.includes(&user);
        if is_required || self.may_name_another_user(claims, &user) {
            return Err(TokenFault::Revoked.into());
        }
        let session = self.adopted_session(claims, jti, self.adopted_session_end(claims, expires_at), &user);
        match self.ports.store.adopt(&session, jti, claims.issued_at).await? {
            Adoption::Refused => Err(TokenFault::Revoked.into()),
            Adoption::NoUser => Ok(Membership::NoUser),
            Adoption::Present => match self.stored_session(session.id).await? {
                Some(found) if found.user.id != user.id => Err(TokenFault::BadClaim.into()),
                Some(found) => {
                    self.end_surplus(&user.id, session.id).await?;
                    let generation = Generation::FIRST;
                    Ok(Membership::Member(Box::new(Member { found, generation, is_adopted: true })))
                }
                None => Ok(Membership::SessionGone),
            },
        }
    }

    fn adopted_session(&self, claims: &TokenClaims, jti: &TokenId, expires_at: UnixTime, user: &User) -> Session {
        let now = self.ports.clock.now();
        let created_at = claims.issued_at.unwrap_or(now);
        Session {
            id: SessionId::adopted(jti),
            user_id: user.id.clone(),
            generation: Generation::FIRST,
            rotated_at: created_at,
            created_at,
            last_used_at: now,
            expires_at,
            absolute_expires_at: self.policy.session_max_ttl.map(|ttl| now.plus(ttl)),
            revoked_at: None,
            revoke_reason: None,
            amr: String::new(),
            authenticated_at: created_at,
            client: ClientInfo::default(),
        }
    }

    /// The effects of a rotation: the event of the adoption, if the token was adopted.
    pub(super) fn rotation_effects(member: &Member) -> Effects {
        if member.is_adopted { member.event(EventKind::TokenAdopted).into() } else { Effects::NONE }
    }

    /// The session that a token without one was adopted as, with its user. `None` if it was not adopted; an access
    /// token never is.
    ///
    /// # Errors
    /// [`TokenFault::Revoked`] if a token that can be adopted is in the blacklist.
    pub(super) async fn adopted(&self, claims: &TokenClaims) -> Result<Option<SessionOfUser>, AuthError> {
        if !claims.is(TokenKind::Sliding) {
            return Ok(None);
        }
        let (jti, _) = claims.require_any_kind()?;
        let found = self.stored_session(SessionId::adopted(jti)).await?;
        if found.is_none() {
            self.check_not_blacklisted(jti).await?;
        }
        Ok(found)
    }

    /// Verifies a token whose session is not stored: it is valid if it needs none and is not in the blacklist.
    ///
    /// # Errors
    /// [`TokenFault::UnknownSession`]; [`TokenFault::Revoked`].
    pub(super) async fn verify_without_session(&self, claims: &TokenClaims, jti: &TokenId) -> Result<(), AuthError> {
        let needs_session = match claims.is(TokenKind::Refresh) {
            true => !self.policy.adopt_external_tokens,
            // Guarded routes accept a sliding token that names no session even if the policy adopts none.
            false => claims.session.is_some(),
        };
        if needs_session { Err(TokenFault::UnknownSession.into()) } else { self.check_not_blacklisted(jti).await }
    }

    /// Whether a token without a session may have been issued for another account with the same subject: it is older
    /// than this account, or names it by a reassignable field and does not say when it was issued.
    pub(super) fn may_name_another_user(&self, claims: &TokenClaims, user: &User) -> bool {
        let is_reassignable = self.policy.claim_rules.subject_field.is_reassignable();
        (is_reassignable && claims.issued_at.is_none()) || self.earliest_issue(claims) < user.date_joined.unix()
    }

    /// The earliest time at which a token without a session may have been issued, given the lifetime of its token type.
    fn earliest_issue(&self, claims: &TokenClaims) -> UnixTime {
        let is_refresh = claims.is(TokenKind::Refresh);
        let longest = if is_refresh { self.policy.rotation.refresh_ttl } else { self.policy.access_ttl };
        self.earliest_sliding_issue(claims).unwrap_or_else(|| claims.earliest_issue(longest))
    }
}
