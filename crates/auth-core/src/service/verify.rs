//! Verification of a token of any type.

use crate::error::AuthError;
use crate::revocation::standing;
use crate::service::{TokenService, adoption};
use crate::token::{Generation, RawToken, TokenFault, TokenKind};

impl TokenService {
    /// Verifies a token of any type: its signature, its claims, and that it is neither used nor revoked. Does not check
    /// its user (docs/wire-contract.md, section 3).
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not valid; [`AuthError::Store`]; [`AuthError::Unavailable`].
    pub async fn verify(&self, presented: &RawToken) -> Result<(), AuthError> {
        let claims = self.read(presented).await?;
        let (jti, _) = claims.require_any_kind()?;
        let is_refresh = claims.is(TokenKind::Refresh);
        let session = adoption::session_id(&claims, jti).filter(|_| is_refresh || self.ends_with_session(&claims));
        let Some(id) = session else { return self.check_not_blacklisted(jti).await };
        match self.stored_session(id).await? {
            Some(found) if is_refresh => {
                let generation = claims.generation.unwrap_or(Generation::FIRST);
                Ok(standing(&found.session, generation, self.policy.rotation.on_refresh)?)
            }
            Some(found) if found.session.revoked_at.is_some() => Err(TokenFault::Revoked.into()),
            Some(_) => Ok(()),
            None => self.verify_without_session(&claims, jti).await,
        }
    }
}
