//! Authentication: who is the bearer of an access token.

use crate::auth_cache::{CacheKey, WhenStale};
use crate::error::{AuthError, StoreError};
use crate::revocation::{follows_factor, predates_epoch};
use crate::service::TokenService;
use crate::token::{
    RawToken, RevokeReason, SessionId, SessionOfUser, SubjectClaim, TokenClaims, TokenFault, TokenKind,
};
use crate::user::User;

/// The bearer of a good access token, as the account is now: rights come from here, never from a claim (SEC-103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account; it is active, unless the policy does not ask.
    pub user: User,
    /// The session that the token belongs to; `None` for a token from elsewhere.
    pub session: Option<SessionId>,
}

impl TokenService {
    /// Finds the bearer of an access token, or of a sliding one where those are accepted. Asks the storage only for
    /// whom the [views](crate::auth_cache) do not know.
    pub async fn authenticate(&self, presented: &RawToken) -> Result<Caller, AuthError> {
        let claims = self.read(presented).await?;
        let kind = self.accepted_kind(&claims)?;
        let pass = pass(&claims, kind);
        let user = match self.remembered(pass.as_ref(), &claims)? {
            Some(user) => user,
            None => self.looked_up(pass, &claims).await?,
        };
        if self.may_pass(&user) { Ok(Caller { user, session: claims.session }) } else { Err(AuthError::UserInactive) }
    }

    /// The account is asked each time (SEC-028), unless the policy lets inactive ones in.
    pub(super) fn may_pass(&self, user: &User) -> bool {
        user.is_active || !self.policy.check_user_is_active
    }

    /// The kind of a token, if tokens of its kind open guarded routes.
    fn accepted_kind(&self, claims: &TokenClaims) -> Result<TokenKind, TokenFault> {
        let mut refusal = TokenFault::WrongKind;
        for kind in &self.policy.accepted_kinds {
            match claims.require(*kind) {
                Ok(_) => return Ok(*kind),
                Err(fault) => refusal = fault,
            }
        }
        Err(refusal)
    }

    /// The user of a token, without asking the storage.
    fn remembered(&self, pass: Option<&CacheKey>, claims: &TokenClaims) -> Result<Option<User>, AuthError> {
        let Some(auth_cache) = &self.ports.auth_cache else { return Ok(None) };
        if auth_cache.staleness() == Some(WhenStale::Refuse) {
            return Err(StoreError::unavailable("it is not known what has changed lately").into());
        }
        let user = pass.and_then(|pass| auth_cache.find(pass, self.ports.clock.now()));
        // Why another one is refused, the storage says.
        Ok(user.filter(|user| {
            let is_doubtful = claims.session.is_none()
                && (predates_epoch(claims.issued_at, user.token_epoch)
                    || follows_factor(claims.issued_at, user.multi_factor_since)
                    || self.policy.multi_factor_required_for.includes(user)
                    || self.may_be_of_another(claims, user));
            self.is_named(user, &claims.subject) && !is_doubtful
        }))
    }

    /// The user of a token as the storage has it, remembered for the next time if it is let in.
    async fn looked_up(&self, pass: Option<CacheKey>, claims: &TokenClaims) -> Result<User, AuthError> {
        let memory =
            self.ports.auth_cache.as_ref().zip(pass).map(|(auth_cache, pass)| (auth_cache, auth_cache.mark(), pass));
        let found = match claims.session {
            Some(id) => self.stored_session(id).await?,
            None => self.adopted(claims).await?,
        };
        let user = match found {
            Some(found) => self.user_of_session(claims, found)?,
            None if claims.session.is_some() => self.user_without_session(claims).await?,
            None => self.user_from_elsewhere(claims).await?,
        };
        if let Some((auth_cache, mark, pass)) = memory
            && self.may_pass(&user)
        {
            auth_cache.remember(mark, pass, &user, self.ports.clock.now());
        }
        Ok(user)
    }

    fn user_of_session(&self, claims: &TokenClaims, found: SessionOfUser) -> Result<User, AuthError> {
        if !self.is_named(&found.user, &claims.subject) {
            return Err(TokenFault::BadClaim.into());
        }
        let is_dead = found.session.revoked_at.is_some() && self.dies_with_session(claims);
        if is_dead && self.may_pass(&found.user) {
            return Err(match found.session.revoke_reason {
                Some(RevokeReason::PasswordChanged) => AuthError::PasswordChanged,
                _ => TokenFault::Revoked.into(),
            });
        }
        self.check_factor(&found.user, &found.session.amr)?;
        Ok(found.user)
    }

    /// The session is gone: with its user, or because its time was over.
    async fn user_without_session(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        // A name may be somebody else's since, and so may the number of an account that was never here.
        let is_doubtful =
            self.policy.claim_rules.subject_field.is_given_again() || self.may_be_of_another(claims, &user);
        let is_without_factor = self.policy.multi_factor_required_for.includes(&user);
        if self.dies_with_session(claims) || is_doubtful || is_without_factor {
            return Err(TokenFault::UnknownSession.into());
        }
        Ok(user)
    }

    /// A token of no session dies with whatever ended all logins of its user. Its issuer asked for no second factor of
    /// ours: it is refused where one is required, and if it was issued since the account has one.
    async fn user_from_elsewhere(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        let is_old = predates_epoch(claims.issued_at, user.token_epoch) && self.policy.check_session_on_access;
        let is_without_factor = self.policy.multi_factor_required_for.includes(&user)
            || follows_factor(claims.issued_at, user.multi_factor_since);
        if is_old || is_without_factor || self.may_be_of_another(claims, &user) {
            return Err(TokenFault::Revoked.into());
        }
        Ok(user)
    }

    async fn known_user(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        if claims.subject == SubjectClaim::Absent {
            return Err(AuthError::SubjectMissing);
        }
        self.user_of(claims).await?.ok_or(AuthError::UserNotFound)
    }
}

/// By what the bearer can be remembered. A sliding token from elsewhere may have been taken out of use without a
/// session.
fn pass(claims: &TokenClaims, kind: TokenKind) -> Option<CacheKey> {
    match (claims.session, &claims.subject) {
        (Some(session), _) => Some(CacheKey::Session(session)),
        (None, SubjectClaim::Named(subject)) if kind == TokenKind::Access => Some(CacheKey::Subject(subject.clone())),
        _ => None,
    }
}
