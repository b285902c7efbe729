//! Administration of accounts by username.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth_core::effects::Effects;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::token::RequiredFor;
use auth_core::user::{GroupName, User};

use crate::account::{LoginName, NewUser, NewUserId};
use crate::email::EmailKind;
use crate::error::AccountError;
use crate::password::CheckedPassword;
use crate::ports::{AccountPage, ListedUsers, NewPassword, PasswordUpdate, QueueShare};
use crate::second_factor::Method;
use crate::service::context::AccountContext;

/// An administrative action on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Allow logins and refreshes again.
    Activate,
    /// Refuse logins and refreshes.
    Deactivate,
    /// Make the user staff.
    Promote,
    /// Make the user neither staff nor a superuser.
    Demote,
    /// Replace the groups of the user.
    SetGroups(BTreeSet<GroupName>),
    /// Delete the account and its data.
    Delete,
    /// Set the password, and revoke all sessions.
    SetPassword(CheckedPassword),
    /// Remove all second factors, for a user who has lost theirs.
    RemoveSecondFactors,
}

impl Action {
    const fn event(&self) -> EventKind {
        match self {
            Self::Activate => EventKind::AccountActivated,
            Self::Deactivate => EventKind::AccountDeactivated,
            Self::Promote => EventKind::AccountPromoted,
            Self::Demote => EventKind::AccountDemoted,
            Self::SetGroups(_) => EventKind::AccountGroupsChanged,
            Self::Delete => EventKind::AccountDeleted,
            Self::SetPassword(_) => EventKind::PasswordChanged,
            Self::RemoveSecondFactors => EventKind::SecondFactorRemoved,
        }
    }
}

/// The outcome of an [`Action`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// No account has this username.
    NoSuchAccount,
    /// The account was already in the desired state.
    NothingToDo,
}

/// Administration of accounts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
/// use auth_conformance::{TestService, new_user};
/// use auth_accounts::password::{PasswordPolicy, RawPassword};
/// use auth_accounts::service::{Action, AdministrationService, Outcome};
/// let administration = AdministrationService::new(TestService::new().context());
/// let password = PasswordPolicy::default().check(RawPassword::new("Correct-horse-42"), &[]).expect("a strong password");
/// administration.create(&new_user("alice"), &password).await?;
/// assert_eq!(administration.act("alice", &Action::Promote).await?, Outcome::Done);
/// assert!(administration.find("alice").await?.expect("the account exists").is_staff);
/// assert_eq!(administration.act("bob", &Action::Promote).await?, Outcome::NoSuchAccount);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AdministrationService {
    context: Arc<AccountContext>,
}

impl AdministrationService {
    /// Creates the service.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }

    /// The emails that notify a user of an action: of a new password, and of each second factor that is removed.
    async fn notices(&self, user: &User, action: &Action) -> Result<Effects, AccountError> {
        let (emails, client) = (&self.context.emails, ClientInfo::default());
        Ok(match action {
            Action::SetPassword(_) => {
                emails.email(EmailKind::PasswordChanged, user.email.as_deref(), &emails.content(user, &client))?
            }
            Action::RemoveSecondFactors => {
                let factors = self.context.ports.store.factors_of(&user.id).await?;
                emails.removal_notices(user, &factors.on(), &client)?
            }
            _ => Effects::NONE,
        })
    }

    /// Performs an action on the account with exactly this username.
    pub async fn act(&self, username: &str, action: &Action) -> Result<Outcome, AccountError> {
        let Some(user) = self.find(username).await? else { return Ok(Outcome::NoSuchAccount) };
        let notices = self.notices(&user, action).await?;
        let effects = notices.with_event(SecurityEvent::of_user(action.event(), &user.id));
        if !self.apply(&user, action, &effects).await? {
            return Ok(match action {
                Action::RemoveSecondFactors => Outcome::NothingToDo,
                _ => Outcome::NoSuchAccount, // It was deleted after it was read.
            });
        }
        self.context.ports.invalidate_account(&user.id);
        self.context.ports.record_committed(&effects);
        if let Action::SetPassword(_) = action {
            self.context.limits.reset_password_counts(&user, &ClientInfo::default()).await?;
        }
        Ok(Outcome::Done)
    }

    /// Applies an action with a single write. Returns `false` if it had no effect.
    async fn apply(&self, user: &User, action: &Action, effects: &Effects) -> Result<bool, AccountError> {
        let store = &self.context.ports.store;
        Ok(match action {
            Action::Activate => store.set_active(&user.id, true, effects).await?,
            Action::Deactivate => store.set_active(&user.id, false, effects).await?,
            Action::Promote => self.promote(user, effects).await?,
            Action::Demote => store.set_staff(&user.id, false, effects).await?,
            Action::SetGroups(groups) => store.set_groups(&user.id, groups, effects).await?,
            Action::Delete => store.delete(&user.id, effects).await?,
            Action::SetPassword(password) => self.set_password(user, password, effects).await?,
            Action::RemoveSecondFactors => {
                store.remove_factors(&user.id, &[Method::Email, Method::Totp], None, effects).await?
            }
        })
    }

    async fn set_password(
        &self,
        user: &User,
        password: &CheckedPassword,
        effects: &Effects,
    ) -> Result<bool, AccountError> {
        let ports = &self.context.ports;
        let hash = ports.hasher.hash(password, QueueShare::Whole).await?;
        let new = NewPassword { effects: effects.clone(), ..NewPassword::new(user.id.clone(), hash) };
        Ok(ports.store.set_password(&new, ports.clock.now()).await? == PasswordUpdate::Done)
    }

    /// Makes a user staff. Where staff must have a second factor, revokes the sessions in the same write, since they may have
    /// started without one (SEC-134).
    async fn promote(&self, user: &User, effects: &Effects) -> Result<bool, AccountError> {
        let ports = &self.context.ports;
        if self.context.tokens.policy().multi_factor_required_for == RequiredFor::Staff {
            return Ok(ports.store.promote(&user.id, effects, ports.clock.now()).await?);
        }
        Ok(ports.store.set_staff(&user.id, true, effects).await?)
    }

    /// Finds the account with exactly this username.
    pub async fn find(&self, username: &str) -> Result<Option<User>, AccountError> {
        let name = LoginName::Username(username.to_owned());
        Ok(self.context.ports.store.find_for_login(&name).await?.map(|(user, _)| user))
    }

    /// Creates an account with any rights. [`NewUserId::Next`] stands for the next ID of the policy.
    ///
    /// # Errors
    /// [`AccountFault::Taken`](crate::account::AccountFault::Taken) if another account has the username or email address.
    pub async fn create(&self, new: &NewUser, password: &CheckedPassword) -> Result<User, AccountError> {
        let mut new = new.clone();
        if new.id == NewUserId::Next {
            new.id = self.context.next_user_id();
        }
        let hash = self.context.ports.hasher.hash(password, QueueShare::Whole).await?;
        new.effects = new.effects.with_event(SecurityEvent::without_user(EventKind::AccountAdministered));
        self.context.create(&new, &hash).await
    }

    /// Lists a page of all users, in the order in which they were created.
    pub async fn list(&self, page: AccountPage) -> Result<ListedUsers, AccountError> {
        Ok(self.context.ports.store.list(page).await?)
    }

    /// Whether any account is a superuser.
    pub async fn has_superuser(&self) -> Result<bool, AccountError> {
        Ok(self.context.ports.store.has_superuser().await?)
    }
}
