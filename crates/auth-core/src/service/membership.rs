//! The session that a presented refresh token belongs to.

use crate::error::AuthError;
use crate::service::TokenService;
use crate::service::lookup::{Member, Membership};
use crate::service::sliding::sliding_generation;
use crate::token::{Generation, SessionId, TokenClaims, TokenFault, TokenId};

impl TokenService {
    /// Finds the session of a refresh token or a sliding token. A token that names no session is adopted if the policy
    /// allows it.
    pub(super) async fn membership(&self, claims: &TokenClaims) -> Result<Membership, AuthError> {
        let (jti, expires_at) = claims.require_any_kind()?;
        match claims.session {
            Some(id) => self.own_session(claims, jti, id).await,
            None => self.adopt(claims, jti, expires_at).await,
        }
    }

    async fn own_session(&self, claims: &TokenClaims, jti: &TokenId, id: SessionId) -> Result<Membership, AuthError> {
        let generation = match sliding_generation(claims, jti, id)? {
            Some(generation) => generation,
            None => refresh_generation(claims, jti, id)?,
        };
        match self.stored_session(id).await? {
            // Subject and session must belong together (SEC-025).
            Some(found) if !self.is_named(&found.user, &claims.subject) => Err(TokenFault::BadClaim.into()),
            Some(found) => Ok(Membership::Member(Box::new(Member { found, generation, is_adopted: false }))),
            None if self.user_of(claims).await?.is_some() => Ok(Membership::SessionGone),
            None => Ok(Membership::NoUser),
        }
    }
}

/// The rotation generation of a refresh token that names the session `id`.
///
/// # Errors
/// [`TokenFault::BadClaim`] if the generation is missing, or the token ID is not the one of that generation (SEC-025).
fn refresh_generation(claims: &TokenClaims, jti: &TokenId, id: SessionId) -> Result<Generation, TokenFault> {
    let generation = claims.generation.ok_or(TokenFault::BadClaim)?;
    if *jti == TokenId::of_generation(id, generation) { Ok(generation) } else { Err(TokenFault::BadClaim) }
}
