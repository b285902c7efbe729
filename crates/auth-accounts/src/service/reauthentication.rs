//! Reauthentication: the password of a user who is logged in, and the account as it is stored now.

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
    /// The account was changed by somebody else while something was decided about it.
    pub(in crate::service) fn overtaken() -> AccountError {
        StoreError::unavailable("the account has changed meanwhile").into()
    }

    /// Reads the caller's account from the storage. What reauthentication asks for depends on its rights, and `caller` may
    /// come from the auth cache.
    pub(in crate::service) async fn account_now(&self, caller: &User) -> Result<User, AccountError> {
        let now = self.ports.store.find_user(&caller.id).await?.ok_or(AuthError::UserNotFound)?;
        Self::still_logged_in(caller, now)
    }

    /// Not if all logins of the account have ended since the caller was authenticated.
    fn still_logged_in(caller: &User, now: User) -> Result<User, AccountError> {
        if now.token_epoch == caller.token_epoch { Ok(now) } else { Err(Self::overtaken()) }
    }

    /// Checks the password of a user who is logged in. Wrong ones count as at a login (SEC-110). Returns the account as
    /// stored, read together with the hash that the password was compared with: what else to ask for is decided on that
    /// account, and later writes are conditional on its security stamp.
    pub(in crate::service) async fn own_password(
        &self,
        user: &User,
        password: &RawPassword,
        client: &ClientInfo,
    ) -> Result<User, AccountError> {
        if password.is_too_long() {
            return Err(AccountError::WrongPassword);
        }
        let guess = self.limits.guess_at_own(user, client).await?;
        let compared = self.compare_own(user, password).await;
        let now = guess.settle(compared, AccountError::WrongPassword).await?;
        Self::still_logged_in(user, now)
    }

    /// The account as stored, if this is its password.
    async fn compare_own(&self, user: &User, password: &RawPassword) -> Result<Option<User>, AccountError> {
        let found = self.ports.store.find_for_login(&LoginName::Username(user.username.clone())).await?;
        let found = found.filter(|(found, _)| found.id == user.id);
        let verdict = self.ports.hasher.verify(password, found.as_ref().map(|(_, hash)| hash)).await?;
        let now = found.filter(|_| verdict != Verdict::Wrong).map(|(now, _)| now);
        if now.is_none() {
            self.ports.record(SecurityEvent::of_user(EventKind::PasswordRefused, &user.id));
        }
        Ok(now)
    }

    /// A new password for an account, if it passes the policy.
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
