//! Logout, of one session, all others or all, and the blacklisting of a refresh token.

use crate::effects::Effects;
use crate::error::AuthError;
use crate::event::{EventKind, SecurityEvent};
use crate::revocation::{Ending, decide_ending, standing};
use crate::service::lookup::{Member, Membership};
use crate::service::{Caller, TokenService};
use crate::token::{RawToken, RevokeReason, SessionId, TokenClaims, TokenFault};

/// What to log out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogoutRequest {
    /// The session of this refresh token.
    One(RawToken),
    /// Every session of the caller except that of the access token.
    Others,
    /// Every session of the caller.
    All,
}

impl TokenService {
    /// Revokes sessions of the caller. No concurrent refresh can make a revoked session live again (SEC-035, SEC-036).
    ///
    /// # Errors
    /// [`AuthError::NoOwnSession`] for [`LogoutRequest::Others`] with a token without a session;
    /// [`AuthError::TokenOfAnotherUser`] (SEC-033); [`AuthError::Token`] if the refresh token is not accepted, or its
    /// session is revoked already; [`AuthError::Store`].
    pub async fn logout(&self, caller: &Caller, request: LogoutRequest) -> Result<(), AuthError> {
        match request {
            LogoutRequest::One(token) => self.logout_one(caller, &token).await,
            LogoutRequest::All => self.end_all(caller, None, EventKind::LoggedOutAll).await,
            LogoutRequest::Others => {
                let own = caller.session.ok_or(AuthError::NoOwnSession)?;
                self.end_all(caller, Some(own), EventKind::LoggedOutOthers).await
            }
        }
    }

    async fn end_all(&self, caller: &Caller, keep: Option<SessionId>, kind: EventKind) -> Result<(), AuthError> {
        let now = self.ports.clock.now();
        let effects = Effects::from(SecurityEvent::of_user(kind, &caller.user.id));
        let ended = self.ports.store.revoke_all(&caller.user.id, keep, RevokeReason::LogoutAll, &effects, now).await?;
        // Also if the account no longer exists, so that no cache entry outlives it.
        self.ports.account_changed(&caller.user.id);
        if ended.is_some() {
            self.ports.record_committed(&effects);
        }
        Ok(())
    }

    async fn logout_one(&self, caller: &Caller, token: &RawToken) -> Result<(), AuthError> {
        let claims = self.read_revocable(token).await?;
        if !self.is_named(&caller.user, &claims.subject) {
            return self.refuse_other_user(caller);
        }
        let member = match self.membership(&claims).await? {
            Membership::Member(member) => member,
            Membership::SessionGone | Membership::NoUser => return Err(TokenFault::UnknownSession.into()),
        };
        match decide_ending(&member.found.session, member.generation, &caller.user.id) {
            Ending::End => self.end(&member, RevokeReason::Logout, EventKind::LoggedOut).await,
            Ending::AlreadyEnded => Err(TokenFault::Revoked.into()),
            Ending::NeverIssued => Err(TokenFault::NeverIssued.into()),
            Ending::OtherUser => self.refuse_other_user(caller),
        }
    }

    fn refuse_other_user(&self, caller: &Caller) -> Result<(), AuthError> {
        self.ports.record(SecurityEvent::of_user(EventKind::LogoutRefused, &caller.user.id));
        Err(AuthError::TokenOfAnotherUser)
    }

    async fn end(&self, member: &Member, reason: RevokeReason, kind: EventKind) -> Result<(), AuthError> {
        let effects = Effects::from(member.event(kind));
        if !self.end_session(member.found.session.id, reason, &effects).await? {
            return Err(TokenFault::Revoked.into()); // Another call revoked it first.
        }
        Ok(())
    }

    /// Revokes a session and records the events; `false` if it was revoked already.
    pub(super) async fn end_session(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
    ) -> Result<bool, AuthError> {
        let is_revoked = self.ports.store.revoke(id, reason, effects, self.ports.clock.now()).await?;
        if is_revoked {
            self.ports.session_ended(id);
            self.ports.record_committed(effects);
        }
        Ok(is_revoked)
    }

    /// Reads a token that may be presented at a logout or be blacklisted.
    async fn read_revocable(&self, presented: &RawToken) -> Result<TokenClaims, AuthError> {
        let claims = self.read(presented).await?;
        claims.require(self.revocable_kind(&claims))?;
        Ok(claims)
    }

    /// Blacklists a refresh token and revokes its session. The token itself is the only credential.
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted or is blacklisted already. For a used token it is
    /// [`TokenFault::Used`], but the session is revoked all the same. [`AuthError::Store`].
    pub async fn blacklist(&self, presented: &RawToken) -> Result<(), AuthError> {
        let claims = self.read_revocable(presented).await?;
        match self.membership(&claims).await? {
            Membership::Member(member) => self.blacklist_member(&member).await,
            Membership::SessionGone | Membership::NoUser => self.blacklist_single(&claims).await,
        }
    }

    async fn blacklist_member(&self, member: &Member) -> Result<(), AuthError> {
        let (reason, kind) = (RevokeReason::Blacklisted, EventKind::TokenBlacklisted);
        match standing(&member.found.session, member.generation, self.policy.rotation.on_refresh) {
            Ok(()) => self.end(member, reason, kind).await,
            Err(TokenFault::Used) => {
                self.end(member, reason, kind).await?;
                Err(TokenFault::Used.into())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Blacklists a token without a stored session. It can no longer be exchanged, but its ID is stored so that a
    /// second attempt is refused.
    async fn blacklist_single(&self, claims: &TokenClaims) -> Result<(), AuthError> {
        if !Self::could_name_a_user(&claims.subject) {
            return Err(TokenFault::BadClaim.into());
        }
        let (jti, expires_at) = claims.require_any_kind()?;
        let effects = Effects::from(SecurityEvent::without_user(EventKind::TokenBlacklisted));
        if !self.ports.store.refuse(jti, expires_at, RevokeReason::Blacklisted.name(), &effects).await? {
            return Err(TokenFault::Revoked.into());
        }
        self.ports.record_committed(&effects);
        Ok(())
    }
}
