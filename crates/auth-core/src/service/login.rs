//! Login: credentials for a pair of tokens.

use crate::account::{LoginName, User};
use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::password::{CheckedPassword, PasswordHash, RawPassword};
use crate::ports::Verdict;
use crate::service::{TokenPair, TokenService};
use crate::token::{ClientInfo, Payload, Session, SessionId};

impl TokenService {
    /// How often a login is tried again when something ended all logins of the account while it was under way.
    const MAX_STARTS: usize = 3;

    /// Begins a session for whoever knows the password of an active account.
    ///
    /// An unknown name, a wrong password and an inactive account are one answer, [`AuthError::BadCredentials`], after
    /// the work of one password comparison (SEC-080, SEC-081). A hash of an older algorithm or cost is replaced.
    pub async fn login(
        &self,
        name: &LoginName,
        password: &RawPassword,
        client: ClientInfo,
    ) -> Result<TokenPair, AuthError> {
        for _ in 0..Self::MAX_STARTS {
            let user = self.authenticate_password(name, password).await?;
            if let Some(pair) = self.start_session(&user, client.clone()).await? {
                return Ok(pair);
            }
        }
        Err(StoreError::unavailable("the account keeps changing during its login").into())
    }

    async fn authenticate_password(&self, name: &LoginName, password: &RawPassword) -> Result<User, AuthError> {
        if password.is_too_long() {
            // No account has it: not worth a comparison, and no hint at whether the account exists.
            return self.refuse_login(None);
        }
        let found = self.ports.store.find_for_login(name).await?;
        let verdict = self.ports.hasher.verify(password, found.as_ref().map(|(_, hash)| hash)).await?;
        match found {
            Some((user, hash)) if user.is_active && verdict != Verdict::Wrong => {
                if verdict == Verdict::RightButOutdated {
                    self.upgrade_hash(&user, password, &hash).await?;
                }
                Ok(user)
            }
            found => {
                if verdict == Verdict::RightButOutdated {
                    // An old hash was cheaper to compare, and its time would tell that the password was right.
                    self.ports.hasher.verify(password, None).await?;
                }
                self.refuse_login(found.map(|(user, _)| user))
            }
        }
    }

    fn refuse_login<T>(&self, user: Option<User>) -> Result<T, AuthError> {
        let kind = EventKind::LoginFailed;
        self.ports.record(user.map_or(SecurityEvent::of_nobody(kind), |user| SecurityEvent::of_user(kind, user.id)));
        Err(AuthError::BadCredentials)
    }

    /// Replaces an outdated hash. A login never fails because hashing is busy: the next one tries again.
    async fn upgrade_hash(&self, user: &User, password: &RawPassword, old: &PasswordHash) -> Result<(), AuthError> {
        let password = CheckedPassword::in_use(password.clone());
        if let Ok(new) = self.ports.hasher.hash(&password).await {
            self.ports.store.upgrade_hash(user.id, old, &new).await?;
        }
        Ok(())
    }

    /// `None` if something ended all logins of the account since `user` was read.
    async fn start_session(&self, user: &User, client: ClientInfo) -> Result<Option<TokenPair>, AuthError> {
        let now = self.ports.clock.now();
        let (first, absolute_expires_at) = self.first_generation(now);
        let session = Session {
            id: SessionId::draw(self.ports.randomness.as_ref()),
            user_id: user.id,
            generation: first.generation,
            rotated_at: first.rotated_at,
            created_at: now,
            last_used_at: now,
            expires_at: first.expires_at,
            absolute_expires_at,
            revoked_at: None,
            revoke_reason: None,
            amr: "pwd".to_owned(),
            client,
        };
        let pair = self.sign_pair(user, &session, first, &Payload::new())?;
        let last_login = self.policy.update_last_login.then(|| self.ports.clock.timestamp());
        if !self.ports.store.start(&session, user, last_login).await? {
            return Ok(None);
        }
        self.ports.record(SecurityEvent::of_session(EventKind::LoginSucceeded, user.id, session.id));
        Ok(Some(pair))
    }
}
