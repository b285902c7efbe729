//! Reads from the storage: the session of a token, its user, and the blacklist.

use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::service::TokenService;
use crate::token::{Generation, SessionId, SessionOfUser, Subject, SubjectClaim, TokenClaims, TokenFault, TokenId};
use crate::user::{User, UserId};

/// A refresh token with a stored session.
pub(super) struct Member {
    pub(super) found: SessionOfUser,
    pub(super) generation: Generation,
    /// Whether it was issued externally, and names no session.
    pub(super) is_adopted: bool,
}

impl Member {
    /// An event that concerns its session.
    pub(super) fn event(&self, kind: EventKind) -> SecurityEvent {
        SecurityEvent::of_session(kind, &self.found.user.id, self.found.session.id)
    }
}

/// What a refresh token belongs to.
pub(super) enum Membership {
    /// A stored session, in any state.
    Member(Box<Member>),
    /// A session that is not stored, of an existing user: it was pruned, or lost when the database was restored.
    SessionGone,
    /// The user does not exist.
    NoUser,
}

impl TokenService {
    /// The session with this ID and its user.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the storage returns another session or another user.
    pub(super) async fn stored_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, AuthError> {
        let found = self.ports.store.find_session(id).await?;
        let is_other = |found: &SessionOfUser| found.session.id != id || found.session.user_id != found.user.id;
        if found.as_ref().is_some_and(is_other) {
            return Err(StoreError::broken("find_session returned another session than the requested one").into());
        }
        Ok(found)
    }

    /// The user that a token names; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the storage returns another user.
    pub(super) async fn user_of(&self, claims: &TokenClaims) -> Result<Option<User>, AuthError> {
        let SubjectClaim::Named(subject) = &claims.subject else { return Ok(None) };
        let found = self.ports.store.find_by_subject(subject).await?;
        if found.as_ref().is_some_and(|user| self.subject_of(user).as_ref() != Some(subject)) {
            return Err(StoreError::broken("find_by_subject returned another user than the requested one").into());
        }
        Ok(found)
    }

    /// Whether a blacklisted token may have this subject claim: absent, null, a username or an ID that is no
    /// [`StringId`].
    ///
    /// [`StringId`]: crate::user::StringId
    pub(super) const fn could_name_a_user(claim: &SubjectClaim) -> bool {
        !matches!(claim, SubjectClaim::Malformed | SubjectClaim::Named(Subject::Id(UserId::String(_))))
    }

    /// Checks that a token ID is not in the blacklist.
    ///
    /// # Errors
    /// [`TokenFault::Revoked`].
    pub(super) async fn check_not_blacklisted(&self, jti: &TokenId) -> Result<(), AuthError> {
        if self.ports.store.is_refused(jti).await? { Err(TokenFault::Revoked.into()) } else { Ok(()) }
    }
}
