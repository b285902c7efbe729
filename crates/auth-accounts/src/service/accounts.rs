//! Registration and profiles.

use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::Caller;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{AccountFault, Email, NewEmail, NewUser, PersonName, ProfileChange, Username};
use crate::email::{EmailKind, EmailRequest};
use crate::error::AccountError;
use crate::password::CheckedPassword;
use crate::ports::{ProfileUpdate, QueueShare};
use crate::service::context::AccountContext;
use crate::service::{AccountPolicy, EmailVerification, Reauthentication};

/// The fields of a registration. Their types guarantee that each has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The username.
    pub username: Username,
    /// The email address.
    pub email: Email,
    /// First name; may be empty.
    pub first_name: PersonName,
    /// Last name; may be empty.
    pub last_name: PersonName,
    /// The password.
    pub password: CheckedPassword,
}

/// The outcome of [`AccountService::update_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileUpdated {
    /// The account after the change.
    pub user: User,
    /// The new email address, which takes effect when it is verified; `None` if there is none or it has taken effect.
    pub pending_email: Option<Email>,
}

/// Registration, profiles, email verification and password resets.
#[derive(Clone)]
pub struct AccountService {
    pub(super) context: Arc<AccountContext>,
}

impl AccountService {
    /// Creates the service.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }

    /// The policy.
    pub fn policy(&self) -> &AccountPolicy {
        &self.context.policy
    }

    /// Creates an active account without privileges, and enqueues a verification email if the policy says so.
    ///
    /// # Errors
    /// [`AccountFault::Taken`] if another account has the username or email address. The storage decides, so that only
    /// one of several concurrent registrations succeeds (SEC-065).
    ///
    /// [`AccountError::TooManyRegistrations`] after too many from one client IP (SEC-126). Each registration is counted before
    /// anything is hashed or looked up, and even if it fails because a login name is taken, so that an attacker cannot cheaply
    /// find out which login names are taken.
    ///
    /// [`AccountError::Overloaded`] if registrations fill half of the queue for hashing.
    pub async fn register(&self, account: NewAccount, client: &ClientInfo) -> Result<User, AccountError> {
        let counted = self.context.limits.admit_registration(client).await?;
        let hash = self.context.ports.hasher.hash(&account.password, QueueShare::Half).await;
        let hash = counted.settle_counted(hash).await?;
        let is_verified_later = self.context.policy.email_verification != EmailVerification::Off;
        let request = self.context.emails.request(EmailRequest::EmailVerification, &account.email, client)?;
        let new = NewUser {
            id: self.context.next_user_id(),
            username: account.username,
            email: Some(NewEmail::LoginName(account.email)),
            first_name: account.first_name,
            last_name: account.last_name,
            is_staff: false,
            is_superuser: false,
            is_imported: false,
            date_joined: self.context.ports.clock.timestamp(),
            email_verified_at: None,
            effects: request
                .filter(|_| is_verified_later)
                .into_iter()
                .collect::<Effects>()
                .with_event(SecurityEvent::without_user(EventKind::AccountRegistered)),
        };
        self.context.create(&new, &hash).await
    }

    /// Reads the caller's account from the storage.
    ///
    /// # Errors
    /// [`AuthError::UserNotFound`] if it has been deleted.
    pub async fn profile(&self, caller: &Caller) -> Result<User, AccountError> {
        self.context.ports.store.find_user(&caller.user.id).await?.ok_or(AuthError::UserNotFound.into())
    }

    /// Changes the caller's profile. A new email address takes effect when it is verified or, if email addresses are not
    /// verified, immediately; the old one is notified.
    ///
    /// A new email address requires reauthentication with everything that a login requires (SEC-043, SEC-134), except where
    /// email addresses are not verified and the account needs no second factor.
    ///
    /// # Errors
    /// [`AccountFault::Taken`] if another account has the username or email address. If reauthentication is required:
    /// [`AccountError::PasswordMissing`], or as for [`enrol`](crate::service::SecondFactorService::enrol) if it fails.
    pub async fn update_profile(
        &self,
        caller: Caller,
        mut change: ProfileChange,
        reauthentication: Option<&Reauthentication>,
        client: &ClientInfo,
    ) -> Result<ProfileUpdated, AccountError> {
        let mut caller = caller.user;
        let mut is_email_change = false;
        if change.email.is_some() {
            // The caller may come from the auth cache, so compare with the stored email address.
            caller = self.context.account_now(&caller).await?;
            is_email_change = changes_email(&caller, &change);
            if is_email_change {
                caller = self.authorize_email_change(caller, reauthentication).await?;
            }
            // The write fails if the account has changed since the reauthentication was decided.
            change.only_at = Some(caller.security_stamp);
        }
        let pending_email = if is_email_change && self.verifies_emails() { change.email.take() } else { None };
        if let Some(email) = &pending_email {
            self.admit_email(&caller, email).await?;
        } else if let Some(email) = change.email.as_ref().filter(|_| is_email_change) {
            let content = self.context.emails.content_of_change(&caller, email, client);
            change.effects = self.context.emails.email(EmailKind::EmailChanged, caller.email.as_deref(), &content)?;
        }
        let user = if change.is_empty() { caller } else { self.apply(&caller, change).await? };
        // Last, so that a refused change sends no link.
        if let Some(email) = &pending_email {
            self.request_email_change(&user, email, client).await?;
        }
        Ok(ProfileUpdated { user, pending_email })
    }

    /// Checks that the user may change the email address, with reauthentication where it is required. Returns the account that
    /// the decision was based on.
    async fn authorize_email_change(
        &self,
        user: User,
        reauthentication: Option<&Reauthentication>,
    ) -> Result<User, AccountError> {
        if !self.verifies_emails() && !self.context.needs_factor(&user).await? {
            return Ok(user);
        }
        self.context.authorize(&user, reauthentication.ok_or(AccountError::PasswordMissing)?).await
    }

    /// Whether a new email address takes effect only when it is verified.
    fn verifies_emails(&self) -> bool {
        self.context.policy.email_verification != EmailVerification::Off
    }

    async fn apply(&self, user: &User, mut change: ProfileChange) -> Result<User, AccountError> {
        change.effects = change.effects.with_event(SecurityEvent::of_user(EventKind::ProfileChanged, &user.id));
        match self.context.ports.store.update_profile(&user.id, &change).await? {
            ProfileUpdate::Done(user) => {
                self.context.ports.invalidate_account(&user.id);
                self.context.ports.record_committed(&change.effects);
                Ok(user)
            }
            ProfileUpdate::Taken(taken) => Err(AccountFault::Taken(taken).into()),
            ProfileUpdate::Overtaken => Err(AccountContext::overtaken()),
            ProfileUpdate::Gone => Err(AuthError::UserNotFound.into()),
        }
    }
}

/// Whether a change sets a different email address. Letter case makes no difference. A contact that becomes a login name counts
/// as a change.
fn changes_email(user: &User, change: &ProfileChange) -> bool {
    let is_own = |email: &Email| user.login_email().is_some_and(|own| email.canonical().eq_ignore_ascii_case(own));
    change.email.as_ref().is_some_and(|email| !is_own(email))
}
