//! Authentication: the caller of a guarded route.

use crate::auth_cache::{CacheKey, WhenStale};
use crate::error::{AuthError, StoreError};
use crate::revocation::{follows_factor, predates_epoch};
use crate::service::TokenService;
use crate::token::{
    RawToken, RevokeReason, SessionId, SessionOfUser, SubjectClaim, TokenClaims, TokenFault, TokenKind,
};
use crate::user::User;

/// The authenticated user of a request. Rights are those of the account now, never those of a claim (SEC-103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user; active, unless [`check_user_is_active`](crate::service::TokenPolicy::check_user_is_active) is off.
    pub user: User,
    /// The session that the token names; `None` for an externally issued token.
    pub session: Option<SessionId>,
}

impl TokenService {
    /// Authenticates the caller by an access token, or by a sliding token where these are accepted. Reads the storage
    /// unless the [auth cache](crate::auth_cache) has an entry.
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted; [`AuthError::SubjectMissing`]; [`AuthError::UserNotFound`];
    /// [`AuthError::UserInactive`]; [`AuthError::PasswordChanged`] if that revoked the session; [`AuthError::Store`]
    /// and [`AuthError::Unavailable`] if the storage, the invalidation feed or the keys of another issuer are
    /// unavailable.
    pub async fn authenticate(&self, presented: &RawToken) -> Result<Caller, AuthError> {
        let claims = self.read(presented).await?;
        let kind = self.accepted_kind(&claims)?;
        let key = cache_key(&claims, kind);
        let user = match self.cached_user(key.as_ref(), &claims)? {
            Some(user) => user,
            None => self.stored_user(key, &claims).await?,
        };
        if self.is_admitted(&user) {
            Ok(Caller { user, session: claims.session })
        } else {
            Err(AuthError::UserInactive)
        }
    }

    /// Whether the user is active (SEC-028), or the policy accepts inactive users.
    pub(super) fn is_admitted(&self, user: &User) -> bool {
        user.is_active || !self.policy.check_user_is_active
    }

    /// The token type, if guarded routes accept it.
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

    /// The user of a token from the auth cache.
    fn cached_user(&self, key: Option<&CacheKey>, claims: &TokenClaims) -> Result<Option<User>, AuthError> {
        let Some(auth_cache) = &self.ports.auth_cache else { return Ok(None) };
        if auth_cache.staleness() == Some(WhenStale::Refuse) {
            return Err(StoreError::unavailable("the invalidation feed is unavailable").into());
        }
        let user = key.and_then(|key| auth_cache.find(key, self.ports.clock.now()));
        // For a token that is likely to be refused, the user is read from the storage, which decides the reason.
        Ok(user.filter(|user| {
            let is_doubtful = claims.session.is_none()
                && (predates_epoch(claims.issued_at, user.token_epoch)
                    || follows_factor(claims.issued_at, user.multi_factor_since)
                    || self.policy.multi_factor_required_for.includes(user)
                    || self.may_name_another_user(claims, user));
            self.is_named(user, &claims.subject) && !is_doubtful
        }))
    }

    /// The user of a token from the storage. Caches an admitted user.
    async fn stored_user(&self, key: Option<CacheKey>, claims: &TokenClaims) -> Result<User, AuthError> {
        // The mark comes before the read, so that a user that changes during the read is not cached.
        let cache =
            self.ports.auth_cache.as_ref().zip(key).map(|(auth_cache, key)| (auth_cache, auth_cache.mark(), key));
        let found = match claims.session {
            Some(id) => self.stored_session(id).await?,
            None => self.adopted(claims).await?,
        };
        let user = match found {
            Some(found) => self.user_of_session(claims, found)?,
            None if claims.session.is_some() => self.user_without_session(claims).await?,
            None => self.user_of_external_token(claims).await?,
        };
        if let Some((auth_cache, mark, key)) = cache
            && self.is_admitted(&user)
        {
            auth_cache.insert(mark, key, &user, self.ports.clock.now());
        }
        Ok(user)
    }

    fn user_of_session(&self, claims: &TokenClaims, found: SessionOfUser) -> Result<User, AuthError> {
        if !self.is_named(&found.user, &claims.subject) {
            return Err(TokenFault::BadClaim.into());
        }
        let is_revoked = found.session.revoked_at.is_some() && self.ends_with_session(claims);
        if is_revoked && self.is_admitted(&found.user) {
            return Err(match found.session.revoke_reason {
                Some(RevokeReason::PasswordChanged) => AuthError::PasswordChanged,
                _ => TokenFault::Revoked.into(),
            });
        }
        self.check_factor(&found.user, &found.session.amr)?;
        Ok(found.user)
    }

    /// The user of a token whose session is not stored: it was deleted with its user, or pruned.
    async fn user_without_session(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        // The subject may belong to another account by now.
        let is_doubtful =
            self.policy.claim_rules.subject_field.is_reassignable() || self.may_name_another_user(claims, &user);
        let lacks_factor = self.policy.multi_factor_required_for.includes(&user);
        if self.ends_with_session(claims) || is_doubtful || lacks_factor {
            return Err(TokenFault::UnknownSession.into());
        }
        Ok(user)
    }

    /// The user of an externally issued token. The token is refused if all sessions of the user were revoked since it
    /// was issued (unless access tokens outlive their sessions, SEC-032), if a second factor is required, which its
    /// issuer did not ask for, or if the account had one when it was issued.
    async fn user_of_external_token(&self, claims: &TokenClaims) -> Result<User, AuthError> {
        let user = self.known_user(claims).await?;
        let is_old = predates_epoch(claims.issued_at, user.token_epoch) && self.policy.check_session_on_access;
        let lacks_factor = self.policy.multi_factor_required_for.includes(&user)
            || follows_factor(claims.issued_at, user.multi_factor_since);
        if is_old || lacks_factor || self.may_name_another_user(claims, &user) {
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

/// The cache key of a token. A sliding token without a session has none, because its ID may be blacklisted without a
/// change event.
fn cache_key(claims: &TokenClaims, kind: TokenKind) -> Option<CacheKey> {
    match (claims.session, &claims.subject) {
        (Some(session), _) => Some(CacheKey::Session(session)),
        (None, SubjectClaim::Named(subject)) if kind == TokenKind::Access => Some(CacheKey::Subject(subject.clone())),
        _ => None,
    }
}
