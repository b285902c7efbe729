//! Login: credentials for a pair of tokens.

use crate::account::{LoginName, User};
use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::password::{CheckedPassword, PasswordHash, RawPassword};
use crate::ports::Verdict;
use crate::service::{TokenPair, TokenService};
use crate::time::UnixTime;
use crate::token::{ClientInfo, Generation, Session, SessionId};

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
        let pair = async |user: &User, client| {
            let now = self.ports.clock.now();
            let session = self.new_session(user, client, now, now.plus(self.policy.rotation.refresh_ttl));
            let custom = self.custom_claims(user, self.no_claims()).await?;
            let pair = self.sign_pair(user, &session, session.current(), &custom)?;
            Ok((session, pair))
        };
        self.login_with(name, password, client, pair).await
    }

    /// A login that answers what `issue` makes of the user, together with the session to be stored.
    pub(super) async fn login_with<T>(
        &self,
        name: &LoginName,
        password: &RawPassword,
        client: ClientInfo,
        issue: impl AsyncFn(&User, ClientInfo) -> Result<(Session, T), AuthError>,
    ) -> Result<T, AuthError> {
        for _ in 0..Self::MAX_STARTS {
            let user = self.authenticate_password(name, password).await?;
            let (session, issued) = issue(&user, client.clone()).await?;
            if self.start_session(&user, &session).await? {
                return Ok(issued);
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

    /// The session of a login, as yet unstored, whose first token ends at `expires_at`.
    pub(super) fn new_session(&self, user: &User, client: ClientInfo, now: UnixTime, expires_at: UnixTime) -> Session {
        let absolute_expires_at = self.policy.session_max_ttl.map(|ttl| now.plus(ttl));
        Session {
            id: SessionId::draw(self.ports.randomness.as_ref()),
            user_id: user.id,
            generation: Generation::FIRST,
            rotated_at: now,
            created_at: now,
            last_used_at: now,
            expires_at: absolute_expires_at.map_or(expires_at, |end| expires_at.min(end)),
            absolute_expires_at,
            revoked_at: None,
            revoke_reason: None,
            amr: "pwd".to_owned(),
            client,
        }
    }

    /// `false` if something ended all logins of the account since `user` was read.
    async fn start_session(&self, user: &User, session: &Session) -> Result<bool, AuthError> {
        let last_login = self.policy.update_last_login.then(|| self.ports.clock.timestamp());
        let is_started = self.ports.store.start(session, user, last_login).await?;
        if is_started {
            self.ports.record(SecurityEvent::of_session(EventKind::LoginSucceeded, user.id, session.id));
        }
        Ok(is_started)
    }
}
