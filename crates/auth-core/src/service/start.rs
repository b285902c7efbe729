//! The start of a session, for any kind of authentication.

use serde_json::Value;

use crate::effects::Effects;
use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::service::{TokenPair, TokenService};
use crate::time::UnixTime;
use crate::token::{Authentication, ClientInfo, Generation, Session, SessionId, SubjectClaim};
use crate::user::{User, UserId};

impl TokenService {
    /// Starts a session for a user whom the host has authenticated, by password, second factor, single sign-on, passkey
    /// or link, and issues its first tokens. Every login goes through here.
    ///
    /// The host must read `user` from the storage before it decides how to authenticate the user: the session starts
    /// only if the user is still active and has the same `security_stamp`, so that no decision outlives the state it
    /// was based on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
    /// use auth_conformance::TestService;
    /// use auth_core::token::{Authentication, ClientInfo};
    /// let service = TestService::new();
    /// let user = service.register("alice").await;
    /// // The host has verified a passkey.
    /// let passkey = Authentication::new(["hwk", "mfa"], service.now()).expect("methods of RFC 8176");
    /// let pair = service.tokens.start_session(&user, &passkey, ClientInfo::default()).await?;
    /// # let _ = pair; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`AuthError::UserInactive`]; [`AuthError::MultiFactorRequired`] if the policy requires more than one factor of
    /// the user; [`AuthError::NoSubject`] if tokens name users by email address and that of the user is not a login
    /// name; [`AuthError::UserChanged`] if the user was changed or deleted since it was read: read it again and retry;
    /// [`AuthError::Store`] if the storage fails, or if a token cannot carry the subject of the user, such as a
    /// negative integer ID.
    pub async fn start_session(
        &self,
        user: &User,
        authentication: &Authentication,
        client: ClientInfo,
    ) -> Result<TokenPair, AuthError> {
        self.check_start(user, authentication)?;
        let expires_at = self.ports.clock.now().plus(self.policy.rotation.refresh_ttl);
        let session = self.new_session(user, authentication, client, expires_at);
        let custom = self.custom_claims(user, self.no_claims()).await?;
        let pair = self.sign_pair(user, &session, session.current(), &custom)?;
        self.store_session(user, &session).await?;
        Ok(pair)
    }

    /// Checks whether an authenticated user may start a session.
    pub(super) fn check_start(&self, user: &User, authentication: &Authentication) -> Result<(), AuthError> {
        self.check_subject(user)?;
        if !user.is_active {
            return Err(AuthError::UserInactive);
        }
        if self.policy.multi_factor_required_for.includes(user) && !authentication.is_multi_factor() {
            return Err(AuthError::MultiFactorRequired);
        }
        Ok(())
    }

    /// Refuses a user whose tokens would name another user or none: the subject claim must be read as the same subject.
    fn check_subject(&self, user: &User) -> Result<(), AuthError> {
        let subject = self.subject_to_sign(user)?;
        let claim = Value::from(subject.to_claim());
        if SubjectClaim::read(Some(&claim), self.policy.claim_rules.subject_field) == SubjectClaim::Named(subject) {
            return Ok(());
        }
        Err(StoreError::broken("the subject of a user cannot be carried by a token").into())
    }

    /// A new session whose first token expires at `expires_at`. Stores nothing.
    pub(super) fn new_session(
        &self,
        user: &User,
        authentication: &Authentication,
        client: ClientInfo,
        expires_at: UnixTime,
    ) -> Session {
        let now = self.ports.clock.now();
        let absolute_expires_at = self.policy.session_max_ttl.map(|ttl| now.plus(ttl));
        Session {
            id: SessionId::generate(self.ports.randomness.as_ref()),
            user_id: user.id.clone(),
            generation: Generation::FIRST,
            rotated_at: now,
            created_at: now,
            last_used_at: now,
            expires_at: absolute_expires_at.map_or(expires_at, |end| expires_at.min(end)),
            absolute_expires_at,
            revoked_at: None,
            revoke_reason: None,
            amr: authentication.amr().to_owned(),
            authenticated_at: authentication.at().min(now),
            client,
        }
    }

    /// Stores a new session if `user` is unchanged, and applies the session limit.
    pub(super) async fn store_session(&self, user: &User, session: &Session) -> Result<(), AuthError> {
        let last_login = self.policy.update_last_login.then(|| self.ports.clock.timestamp());
        let effects = Effects::from(SecurityEvent::of_session(EventKind::LoginSucceeded, &user.id, session.id));
        if !self.ports.store.start(session, user, last_login, &effects).await? {
            return Err(AuthError::UserChanged);
        }
        self.ports.record_committed(&effects);
        self.end_surplus(&user.id, session.id).await
    }

    /// Applies the session limit: revokes the least recently used sessions of an account, but never `keep`. This
    /// follows the write of each new session, so that the last of several concurrent logins sees them all.
    pub(super) async fn end_surplus(&self, user: &UserId, keep: SessionId) -> Result<(), AuthError> {
        let Some(limit) = self.policy.max_sessions else { return Ok(()) };
        for ended in self.ports.store.end_surplus(user, keep, limit, self.ports.clock.now()).await? {
            self.ports.session_ended(ended);
            self.ports.record(SecurityEvent::session_limit_reached(user, ended));
        }
        Ok(())
    }
}
