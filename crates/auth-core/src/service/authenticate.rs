//! Authentication: who is the bearer of an access token.

use crate::account::User;
use crate::error::AuthError;
use crate::revocation::predates_epoch;
use crate::service::TokenService;
use crate::token::{RawToken, SessionId, SessionOfUser, SubjectClaim, TokenClaims, TokenFault, TokenKind};

/// The bearer of a good access token, as the account is now: rights come from here, never from a claim (SEC-103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account; it is active.
    pub user: User,
    /// The session that the token belongs to; `None` for a token from elsewhere.
    pub session: Option<SessionId>,
}

impl TokenService {
    /// Finds the bearer of an access token, with one read of the storage.
    pub async fn authenticate(&self, presented: &RawToken) -> Result<Caller, AuthError> {
        let claims = self.read(presented)?;
        claims.expect(TokenKind::Access)?;
        let user = match claims.session {
            Some(id) => match self.ports.store.find_session(id).await? {
                Some(found) => self.user_of_session(&claims, found)?,
                None => self.user_without_session(&claims, TokenFault::UnknownSession).await?,
            },
            None => self.user_from_elsewhere(&claims).await?,
        };
        if !user.is_active {
            return Err(AuthError::UserInactive);
        }
        Ok(Caller { user, session: claims.session })
    }

    fn user_of_session(&self, claims: &TokenClaims, found: SessionOfUser) -> Result<User, AuthError> {
        if claims.subject != SubjectClaim::Named(found.user.subject()) {
            return Err(TokenFault::BadClaim.into());
        }
        let is_dead = found.session.revoked_at.is_some() && self.policy.check_session_on_access;
        if is_dead && found.user.is_active {
            return Err(TokenFault::Revoked.into());
        }
        Ok(found.user)
    }

    /// The session is gone: with its user, or because its time was over.
    async fn user_without_session(&self, claims: &TokenClaims, fault: TokenFault) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        if self.policy.check_session_on_access { Err(fault.into()) } else { Ok(user) }
    }

    /// A token of no session dies with whatever ended all logins of its user.
    async fn user_from_elsewhere(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        let is_old = predates_epoch(claims.issued_at, user.token_epoch);
        if is_old && self.policy.check_session_on_access { Err(TokenFault::Revoked.into()) } else { Ok(user) }
    }

    async fn known_user(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        if claims.subject == SubjectClaim::Absent {
            return Err(AuthError::SubjectMissing);
        }
        self.user_of(claims).await?.ok_or(AuthError::UserNotFound)
    }
}
