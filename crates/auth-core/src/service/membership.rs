//! Which session a presented refresh token belongs to.

use crate::error::{AuthError, StoreError};
use crate::ports::Adoption;
use crate::service::TokenService;
use crate::time::UnixTime;
use crate::token::{
    ClientInfo, Generation, Session, SessionId, SessionOfUser, Subject, SubjectClaim, TokenClaims, TokenFault, TokenId,
    TokenKind,
};
use crate::user::{User, UserId};

/// A refresh token that was recognised.
pub(super) struct Member {
    pub(super) found: SessionOfUser,
    pub(super) generation: Generation,
    /// Issued elsewhere with the same key; it names no session.
    pub(super) is_foreign: bool,
}

/// What a refresh token belongs to.
pub(super) enum Membership {
    /// A session, in whatever state.
    Member(Box<Member>),
    /// A session that is not stored, though the user is: it was pruned, or lost with a restored database.
    SessionGone,
    /// No account that exists.
    NoUser,
}

impl TokenService {
    /// Finds the session of a refresh token or a sliding one. One from elsewhere becomes a session first, if the policy
    /// allows.
    pub(super) async fn membership(&self, claims: &TokenClaims) -> Result<Membership, AuthError> {
        let (jti, expires_at) = claims.require_any_kind()?;
        match claims.session {
            Some(id) => self.own_session(claims, jti, id).await,
            None if self.policy.adopt_foreign_tokens && claims.is_own => self.adopt(claims, jti, expires_at).await,
            None => Err(TokenFault::UnknownSession.into()),
        }
    }

    async fn own_session(&self, claims: &TokenClaims, jti: &TokenId, id: SessionId) -> Result<Membership, AuthError> {
        let (generation, is_its_name) = if claims.is(TokenKind::Sliding) {
            (Generation::FIRST, SessionId::adopted(jti) == id)
        } else {
            let generation = claims.generation.ok_or(TokenFault::BadClaim)?;
            (generation, *jti == TokenId::of_generation(id, generation))
        };
        if !is_its_name {
            return Err(TokenFault::BadClaim.into());
        }
        match self.stored_session(id).await? {
            // Subject and session belong together (SEC-025).
            Some(found) if !self.is_named(&found.user, &claims.subject) => Err(TokenFault::BadClaim.into()),
            Some(found) => Ok(Membership::Member(Box::new(Member { found, generation, is_foreign: false }))),
            None if self.user_of(claims).await?.is_some() => Ok(Membership::SessionGone),
            None => Ok(Membership::NoUser),
        }
    }

    async fn adopt(&self, claims: &TokenClaims, jti: &TokenId, expires_at: UnixTime) -> Result<Membership, AuthError> {
        let Some(user) = self.user_of(claims).await? else { return Ok(Membership::NoUser) };
        let is_required = self.policy.multi_factor_required_for.includes(&user);
        if is_required || self.may_be_of_another(claims, &user) {
            return Err(TokenFault::Revoked.into());
        }
        let session = self.adopted_session(claims, jti, self.sliding_session_end(claims, expires_at), &user);
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

    /// The session with this ID and its user. A storage that returns another one is broken: nothing is decided on that.
    pub(super) async fn stored_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, AuthError> {
        let found = self.ports.store.find_session(id).await?;
        let is_other = |found: &SessionOfUser| found.session.id != id || found.session.user_id != found.user.id;
        if found.as_ref().is_some_and(is_other) {
            return Err(StoreError::broken("find_session returned another session than the requested one").into());
        }
        Ok(found)
    }

    /// The user that a token names, if it names one that exists. A storage that returns another one is broken.
    pub(super) async fn user_of(&self, claims: &TokenClaims) -> Result<Option<User>, AuthError> {
        let SubjectClaim::Named(subject) = &claims.subject else { return Ok(None) };
        let found = self.ports.store.find_by_subject(subject).await?;
        if found.as_ref().is_some_and(|user| self.subject_of(user).as_ref() != Some(subject)) {
            return Err(StoreError::broken("find_by_subject returned another user than the requested one").into());
        }
        Ok(found)
    }

    /// Whether the claim could name an account that existed once: absent, null, a number or a name, but no odd text.
    pub(super) const fn could_name_a_user(claim: &SubjectClaim) -> bool {
        !matches!(claim, SubjectClaim::Malformed | SubjectClaim::Named(Subject::Id(UserId::String(_))))
    }
}
