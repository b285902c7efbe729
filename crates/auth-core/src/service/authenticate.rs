//! Authentication: who is the bearer of an access token.

use crate::account::User;
use crate::error::{AuthError, StoreError};
use crate::revocation::predates_epoch;
use crate::service::TokenService;
use crate::token::{
    RawToken, RevokeReason, SessionId, SessionOfUser, SubjectClaim, SubjectField, TokenClaims, TokenFault, TokenKind,
};
use crate::view::WhenStale;

/// The bearer of a good access token, as the account is now: rights come from here, never from a claim (SEC-103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account; it is active, unless the policy does not ask.
    pub user: User,
    /// The session that the token belongs to; `None` for a token from elsewhere.
    pub session: Option<SessionId>,
}

impl TokenService {
    /// Finds the bearer of an access token, or of a sliding one where those are accepted. Asks the storage only for whom the
    /// [views](crate::view) do not know.
    pub async fn authenticate(&self, presented: &RawToken) -> Result<Caller, AuthError> {
        let claims = self.read(presented).await?;
        let kind = self.accepted_kind(&claims)?;
        let user = match self.remembered(&claims, kind)? {
            Some(user) => user,
            None => self.looked_up(&claims, kind).await?,
        };
        if !user.is_active && self.policy.check_user_is_active {
            return Err(AuthError::UserInactive);
        }
        Ok(Caller { user, session: claims.session })
    }

    /// The kind of a token, if tokens of its kind open guarded routes.
    fn accepted_kind(&self, claims: &TokenClaims) -> Result<TokenKind, TokenFault> {
        let mut refusal = TokenFault::WrongKind;
        for kind in &self.policy.accepted_kinds {
            match claims.expect(*kind) {
                Ok(_) => return Ok(*kind),
                Err(fault) => refusal = fault,
            }
        }
        Err(refusal)
    }

    /// Whether the token dies with its session. A sliding token always does: it is its own refresh token.
    fn checks_session(&self, kind: TokenKind) -> bool {
        self.policy.check_session_on_access || kind == TokenKind::Sliding
    }

    /// Whether the views may speak of this token. They know accounts by their numbers, which are never given twice; of a
    /// name the storage has to say whether the session is still that of whoever has it now.
    fn may_be_remembered(&self, claims: &TokenClaims, kind: TokenKind) -> bool {
        let is_foreign_sliding = kind == TokenKind::Sliding && claims.session.is_none();
        self.policy.claim_rules.subject_field == SubjectField::Id && !is_foreign_sliding
    }

    /// The user of a token, without asking the storage.
    fn remembered(&self, claims: &TokenClaims, kind: TokenKind) -> Result<Option<User>, AuthError> {
        let Some(views) = &self.ports.views else { return Ok(None) };
        if views.staleness() == Some(WhenStale::Refuse) {
            return Err(StoreError::unavailable("it is not known what has changed lately").into());
        }
        let SubjectClaim::Named(subject) = &claims.subject else { return Ok(None) };
        if !self.may_be_remembered(claims, kind) {
            return Ok(None);
        }
        let session = claims.session.filter(|_| self.checks_session(kind));
        let user = views.find(subject, session, self.ports.clock.now());
        // Of a token of no session that is too old, the storage says why.
        Ok(user.filter(|user| claims.session.is_some() || !predates_epoch(claims.issued_at, user.token_epoch)))
    }

    /// The user of a token as the storage has it, remembered for the next time.
    async fn looked_up(&self, claims: &TokenClaims, kind: TokenKind) -> Result<User, AuthError> {
        let mark = self.ports.views.as_ref().map(|views| views.mark());
        let user = match claims.session {
            Some(id) => match self.ports.store.find_session(id).await? {
                Some(found) => self.user_of_session(claims, found, kind)?,
                None => self.user_without_session(claims, kind).await?,
            },
            None if kind == TokenKind::Sliding => self.user_of_foreign_sliding(claims).await?,
            None => self.user_from_elsewhere(claims).await?,
        };
        if let (Some(views), Some(mark)) = (&self.ports.views, mark)
            && self.may_be_remembered(claims, kind)
        {
            views.remember(mark, &self.subject_of(&user), &user, self.ports.clock.now());
        }
        Ok(user)
    }

    fn user_of_session(&self, claims: &TokenClaims, found: SessionOfUser, kind: TokenKind) -> Result<User, AuthError> {
        if claims.subject != SubjectClaim::Named(self.subject_of(&found.user)) {
            return Err(TokenFault::BadClaim.into());
        }
        let is_dead = found.session.revoked_at.is_some() && self.checks_session(kind);
        if is_dead && (found.user.is_active || !self.policy.check_user_is_active) {
            return Err(match found.session.revoke_reason {
                Some(RevokeReason::PasswordChanged) => AuthError::PasswordChanged,
                _ => TokenFault::Revoked.into(),
            });
        }
        Ok(found.user)
    }

    /// The session is gone: with its user, or because its time was over.
    async fn user_without_session(&self, claims: &TokenClaims, kind: TokenKind) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        if self.checks_session(kind) { Err(TokenFault::UnknownSession.into()) } else { Ok(user) }
    }

    /// A token of no session dies with whatever ended all logins of its user.
    async fn user_from_elsewhere(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        let is_old = predates_epoch(claims.issued_at, user.token_epoch);
        if is_old && self.policy.check_session_on_access { Err(TokenFault::Revoked.into()) } else { Ok(user) }
    }

    /// A sliding token from elsewhere, which may have become a session when it was refreshed or taken out of use.
    async fn user_of_foreign_sliding(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let (jti, _) = claims.expect_any_kind()?;
        match self.ports.store.find_session(SessionId::adopted(jti)).await? {
            Some(found) => self.user_of_session(claims, found, TokenKind::Sliding),
            None if self.ports.store.is_refused(jti).await? => Err(TokenFault::Revoked.into()),
            None => self.user_from_elsewhere(claims).await,
        }
    }

    async fn known_user(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        if claims.subject == SubjectClaim::Absent {
            return Err(AuthError::SubjectMissing);
        }
        self.user_of(claims).await?.ok_or(AuthError::UserNotFound)
    }
}
