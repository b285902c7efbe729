//! What people do with their own accounts.

use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::Caller;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{AccountFault, Email, NewEmail, NewUser, PersonName, ProfileChange, Username};
use crate::error::AccountError;
use crate::mail::{EmailKind, EmailRequest};
use crate::password::CheckedPassword;
use crate::ports::{ProfileUpdate, QueueShare};
use crate::service::context::AccountContext;
use crate::service::{AccountPolicy, EmailVerification, Reauthentication};

/// What somebody registers with. Each part is checked already; its type is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The name to log in with.
    pub username: Username,
    /// The address.
    pub email: Email,
    /// First name; may be empty.
    pub first_name: PersonName,
    /// Last name; may be empty.
    pub last_name: PersonName,
    /// The password.
    pub password: CheckedPassword,
}

/// What became of a change to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileUpdated {
    /// The account as it is now.
    pub user: User,
    /// The address that it gets when it is proven; `None`: none was asked for, or it has it already.
    pub pending_email: Option<Email>,
}

/// Registration, profiles and addresses; passwords of those who forgot them.
///
/// The methods stand in the modules named for what they do.
#[derive(Clone)]
pub struct AccountService {
    pub(super) context: Arc<AccountContext>,
}

impl AccountService {
    /// The service of this context.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }

    /// Its policy.
    pub fn policy(&self) -> &AccountPolicy {
        &self.context.policy
    }

    /// Makes an ordinary, active account, and asks for a proof of its address if that is wanted.
    /// [`AccountFault::Taken`] if its name or address is another's already: the storage decides, so that of any number of
    /// registrations at once one wins (SEC-065).
    ///
    /// # Errors
    /// [`AccountError::TooManyRegistrations`] after too many from one client IP: counted before anything is hashed or looked
    /// up, and whatever comes of it, so that nobody can find out cheaply which names and email addresses are taken.
    /// [`AccountError::Overloaded`] if half of the queue for hashing is taken by registrations.
    pub async fn register(&self, account: NewAccount, client: &ClientInfo) -> Result<User, AccountError> {
        let counted = self.context.limits.admit_registration(client).await?;
        let hash = self.context.ports.hasher.hash(&account.password, QueueShare::Half).await;
        let hash = counted.settle_spent(hash).await?;
        let wants_proof = self.context.policy.email_verification != EmailVerification::Off;
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
                .filter(|_| wants_proof)
                .into_iter()
                .collect::<Effects>()
                .with_event(SecurityEvent::without_user(EventKind::AccountRegistered)),
        };
        self.context.create(&new, &hash).await
    }

    /// The caller's account as it is at this moment.
    ///
    /// # Errors
    /// [`AuthError::UserNotFound`] if it has been deleted since.
    pub async fn profile(&self, caller: &Caller) -> Result<User, AccountError> {
        self.context.ports.store.find_user(&caller.user.id).await?.ok_or(AuthError::UserNotFound.into())
    }

    /// Changes what is given of the caller's profile. Another address takes all that a login would (SEC-043, SEC-134), unless
    /// addresses are not proven and no second factor is asked of the account; it takes effect when it is proven, or else at
    /// once, and the old one is told.
    ///
    /// # Errors
    /// [`AccountFault::Taken`] if a name or address is another's. Where proof is needed: [`AccountError::PasswordMissing`], and
    /// all that [`enrol`](crate::service::SecondFactorService::enrol) answers.
    pub async fn update_profile(
        &self,
        caller: Caller,
        mut change: ProfileChange,
        shown: Option<&Reauthentication>,
        client: &ClientInfo,
    ) -> Result<ProfileUpdated, AccountError> {
        let mut caller = caller.user;
        let mut is_new = false;
        if change.email.is_some() {
            // Whether it is another address is decided on the account as stored: the caller may come from the auth cache.
            caller = self.context.account_now(&caller).await?;
            is_new = changes_address(&caller, &change);
            if is_new {
                caller = self.admitted_to_change_email(caller, shown).await?;
            }
            // What was asked for, or was not, is what the account takes at the moment of the write.
            change.only_at = Some(caller.security_stamp);
        }
        let pending_email = if is_new && self.takes_proof() { change.email.take() } else { None };
        if let Some(email) = &pending_email {
            self.admit_email(&caller, email).await?;
        } else if let Some(email) = change.email.as_ref().filter(|_| is_new) {
            let content = self.context.emails.content_of_change(&caller, email, client);
            change.effects = self.context.emails.mail(EmailKind::EmailChanged, caller.email.as_deref(), &content)?;
        }
        let user = if change.is_empty() { caller } else { self.apply(&caller, change).await? };
        // Last: a change that is refused sends no link.
        if let Some(email) = &pending_email {
            self.propose_email(&user, email, client).await?;
        }
        Ok(ProfileUpdated { user, pending_email })
    }

    /// Checks that the user may change the email address, which takes all that a login asks for where reauthentication is
    /// required. Returns the account that the decision was based on.
    async fn admitted_to_change_email(
        &self,
        user: User,
        shown: Option<&Reauthentication>,
    ) -> Result<User, AccountError> {
        if !self.takes_proof() && !self.context.asks_for_factor(&user).await? {
            return Ok(user);
        }
        self.context.authorize(&user, shown.ok_or(AccountError::PasswordMissing)?).await
    }

    /// Whether another address takes effect only when it is proven.
    fn takes_proof(&self) -> bool {
        self.context.policy.email_verification != EmailVerification::Off
    }

    async fn apply(&self, user: &User, mut change: ProfileChange) -> Result<User, AccountError> {
        change.effects = change.effects.with_event(SecurityEvent::of_user(EventKind::ProfileChanged, &user.id));
        match self.context.ports.store.update_profile(&user.id, &change).await? {
            ProfileUpdate::Done(user) => {
                self.context.ports.note_changed(&user.id);
                self.context.ports.record_committed(&change.effects);
                Ok(user)
            }
            ProfileUpdate::Taken(taken) => Err(AccountFault::Taken(taken).into()),
            ProfileUpdate::Overtaken => Err(AccountContext::overtaken()),
            ProfileUpdate::Gone => Err(AuthError::UserNotFound.into()),
        }
    }
}

/// Whether a change is to another address. Letter case makes no other one; a contact that becomes a login name is one.
fn changes_address(user: &User, change: &ProfileChange) -> bool {
    let is_own = |email: &Email| user.login_email().is_some_and(|own| email.canonical().eq_ignore_ascii_case(own));
    change.email.as_ref().is_some_and(|email| !is_own(email))
}
