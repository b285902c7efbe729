//! Adoption: how an externally issued token becomes a session.

use crate::error::AuthError;
use crate::ports::Adoption;
use crate::service::TokenService;
use crate::service::lookup::{Member, Membership};
use crate::time::UnixTime;
use crate::token::{ClientInfo, Generation, Session, SessionId, TokenClaims, TokenFault, TokenId, TokenKind};
use crate::user::User;

impl TokenService {
    pub(super) async fn adopt(
        &self,
        claims: &TokenClaims,
        jti: &TokenId,
        expires_at: UnixTime,
    ) -> Result<Membership, AuthError> {
        let Some(user) = self.user_of(claims).await? else { return Ok(Membership::NoUser) };
        let is_required = self.policy.multi_factor_required_for.includes(&user);
        if is_required || self.may_be_of_another(claims, &user) {
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
                    Ok(Membership::Member(Box::new(Member { found, generation, is_foreign: true })))
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

    /// Whether a token of no session may have been issued for an account that had the name before, or for one that had
    /// the number where the token was issued: it is older than the account, or does not say how old it is.
    pub(super) fn may_be_of_another(&self, claims: &TokenClaims, user: &User) -> bool {
        let is_name = self.policy.claim_rules.subject_field.is_given_again();
        (is_name && claims.issued_at.is_none()) || self.earliest_issue(claims) < user.date_joined.unix()
    }

    /// The earliest moment at which a token of no session may have been issued, given how long tokens of its kind live
    /// here.
    fn earliest_issue(&self, claims: &TokenClaims) -> UnixTime {
        let is_refresh = claims.is(TokenKind::Refresh);
        let longest = if is_refresh { self.policy.rotation.refresh_ttl } else { self.policy.access_ttl };
        self.earliest_sliding_issue(claims).unwrap_or_else(|| claims.earliest_issue(longest))
    }
}
