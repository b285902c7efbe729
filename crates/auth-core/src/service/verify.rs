//! Verification: is this token good, for whatever.

use crate::error::AuthError;
use crate::revocation::standing;
use crate::service::TokenService;
use crate::token::{Generation, RawToken, SessionId, TokenClaims, TokenFault, TokenId, TokenKind};

impl TokenService {
    /// Whether a token of any kind is good: signed, within its time, and not taken out of use. The state of its user
    /// is not asked (wire contract section 3).
    pub async fn verify(&self, presented: &RawToken) -> Result<(), AuthError> {
        let claims = self.read(presented).await?;
        let (jti, _) = claims.require_any_kind()?;
        if claims.is(TokenKind::Refresh) {
            let generation = claims.generation.unwrap_or(Generation::FIRST);
            let session = claims.session.unwrap_or_else(|| SessionId::adopted(jti));
            self.verify_refresh(session, generation, jti).await
        } else {
            self.verify_other(&claims, jti).await
        }
    }

    async fn verify_refresh(&self, id: SessionId, generation: Generation, jti: &TokenId) -> Result<(), AuthError> {
        match self.stored_session(id).await? {
            Some(found) => Ok(standing(&found.session, generation, self.policy.rotation.on_refresh)?),
            None if !self.policy.adopt_foreign_tokens => Err(TokenFault::UnknownSession.into()),
            None => self.verify_not_refused(jti).await,
        }
    }

    async fn verify_other(&self, claims: &TokenClaims, jti: &TokenId) -> Result<(), AuthError> {
        let session = match claims.is(TokenKind::Sliding) {
            true => claims.session.or_else(|| Some(SessionId::adopted(jti))),
            false => claims.session.filter(|_| self.dies_with_session(claims)),
        };
        match session {
            Some(id) => match self.stored_session(id).await? {
                Some(found) if found.session.revoked_at.is_none() => Ok(()),
                Some(_) => Err(TokenFault::Revoked.into()),
                None if claims.session.is_none() => self.verify_not_refused(jti).await,
                None => Err(TokenFault::UnknownSession.into()),
            },
            None => self.verify_not_refused(jti).await,
        }
    }
}
