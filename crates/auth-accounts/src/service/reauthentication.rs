//! Reauthentication of logged-in users by password.

use auth_core::error::{AuthError, StoreError};
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{AccountFault, LoginName};
use crate::error::AccountError;
use crate::password::{Attribute, CheckedPassword, RawPassword};
use crate::ports::Verdict;
use crate::service::context::AccountContext;

impl AccountContext {
    /// The error for an account that was changed concurrently.
    pub(in crate::service) fn overtaken() -> AccountError {
        StoreError::unavailable("the account was changed concurrently").into()
    }

    /// Reads the caller's account from the storage. Reauthentication depends on its rights, and `caller` may come from the auth
    /// cache.
    pub(in crate::service) async fn account_now(&self, caller: &User) -> Result<User, AccountError> {
        let now = self.ports.store.find_user(&caller.id).await?.ok_or(AuthError::UserNotFound)?;
        Self::still_logged_in(caller, now)
    }

    /// Fails if all sessions of the account were revoked since the caller was authenticated.
    fn still_logged_in(caller: &User, now: User) -> Result<User, AccountError> {
        if now.token_epoch == caller.token_epoch { Ok(now) } else { Err(Self::overtaken()) }
    }

    /// Checks the password of a logged-in user. Wrong ones count as at a login (SEC-110). Returns the account as read together with
    /// the password hash. The rest of the reauthentication must be based on it, and later writes conditional on its security
    /// stamp.
    pub(in crate::service) async fn check_own_password(
        &self,
        user: &User,
        password: &RawPassword,
        client: &ClientInfo,
    ) -> Result<User, AccountError> {
        if password.is_too_long() {
            return Err(AccountError::WrongPassword);
        }
        let guess = self.limits.guess_at_own_password(user, client).await?;
        let compared = self.compare_own_password(user, password).await;
        let now = guess.settle(compared, AccountError::WrongPassword).await?;
        Self::still_logged_in(user, now)
    }

    /// The stored account, if the password is right.
    async fn compare_own_password(&self, user: &User, password: &RawPassword) -> Result<Option<User>, AccountError> {
        let found = self.ports.store.find_for_login(&LoginName::Username(user.username.clone())).await?;
        let found = found.filter(|(found, _)| found.id == user.id);
        let verdict = self.ports.hasher.verify(password, found.as_ref().map(|(_, hash)| hash)).await?;
        let now = found.filter(|_| verdict != Verdict::Wrong).map(|(now, _)| now);
        if now.is_none() {
            self.ports.record(SecurityEvent::of_user(EventKind::PasswordRefused, &user.id));
        }
        Ok(now)
    }

    /// Checks a new password of an account against the policy.
    ///
    /// # Errors
    /// [`AccountFault::WeakPassword`].
    pub(in crate::service) fn checked(
        &self,
        user: &User,
        password: RawPassword,
    ) -> Result<CheckedPassword, AccountError> {
        let attributes = [
            (Attribute::Username, user.username.as_str()),
            (Attribute::FirstName, user.first_name.as_str()),
            (Attribute::LastName, user.last_name.as_str()),
            (Attribute::Email, user.email.as_deref().unwrap_or_default()),
        ];
        self.policy.passwords.check(password, &attributes).map_err(|flaws| AccountFault::WeakPassword(flaws).into())
    }
}
