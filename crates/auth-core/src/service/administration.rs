//! What an administrator does to accounts, by name.

use std::collections::BTreeSet;

use crate::account::{AccountFault, GroupName, LoginName, NewUser, User};
use crate::error::AuthError;
use crate::event::{EventKind, SecurityEvent};
use crate::mail::{MailKind, NewMail};
use crate::password::CheckedPassword;
use crate::ports::{AccountPage, NewPassword, PasswordUpdate, QueueShare};
use crate::second_factor::{Method, RequiredFor};
use crate::service::context::Context;
use crate::service::{AccountPolicy, Ports};
use crate::token::ClientInfo;

/// What to do to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let it log in and refresh again.
    Activate,
    /// Let it neither log in nor refresh.
    Deactivate,
    /// Make it an administrator's.
    Promote,
    /// Make it an ordinary one.
    Demote,
    /// Put it into these groups and no others.
    SetGroups(BTreeSet<GroupName>),
    /// Delete it and all it owns.
    Delete,
    /// Set its password, and end all its sessions.
    SetPassword(CheckedPassword),
    /// Switch all its second factors off, for somebody who has lost theirs.
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

/// What became of an [`Action`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There is no account of that name.
    NoSuchAccount,
    /// It was so already.
    NothingToDo,
}

/// Administration of accounts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_core::AuthError> {
/// use auth_conformance::{memory_ports, new_user};
/// use auth_core::password::{PasswordPolicy, RawPassword};
/// use auth_core::service::{AccountPolicy, Action, AdministrationService, Outcome};
/// let administration = AdministrationService::new(memory_ports(), AccountPolicy::default());
/// let password = PasswordPolicy::default().check(RawPassword::new("Correct-horse-42"), &[]).expect("a good one");
/// administration.create(&new_user("alice"), &password).await?;
/// assert_eq!(administration.act("alice", &Action::Promote).await?, Outcome::Done);
/// assert!(administration.find("alice").await?.expect("an account").is_staff);
/// assert_eq!(administration.act("bob", &Action::Promote).await?, Outcome::NoSuchAccount);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AdministrationService {
    ports: Ports,
    policy: AccountPolicy,
}

impl AdministrationService {
    /// A service on these adapters.
    pub const fn new(ports: Ports, policy: AccountPolicy) -> Self {
        Self { ports, policy }
    }

    /// What the owner of an account is told of a change that they did not make.
    fn notice(&self, kind: MailKind, user: &User) -> Result<Vec<NewMail>, AuthError> {
        let context = self.context();
        context.mail(kind, &user.email, &context.content(user, &ClientInfo::default()))
    }

    const fn context(&self) -> Context<'_> {
        Context { ports: &self.ports, policy: &self.policy }
    }

    /// Does something to the account with exactly this username.
    pub async fn act(&self, username: &str, action: &Action) -> Result<Outcome, AuthError> {
        let Some(user) = self.find(username).await? else { return Ok(Outcome::NoSuchAccount) };
        let store = &self.ports.store;
        let done = match action {
            Action::Activate => store.set_active(user.id, true).await?,
            Action::Deactivate => store.set_active(user.id, false).await?,
            Action::Promote => self.promote(&user).await?,
            Action::Demote => store.set_staff(user.id, false).await?,
            Action::SetGroups(groups) => store.set_groups(user.id, groups).await?,
            Action::Delete => store.delete(user.id).await?,
            Action::SetPassword(password) => {
                let hash = self.ports.hasher.hash(password, QueueShare::Whole).await?;
                let mails = self.notice(MailKind::PasswordChanged, &user)?;
                let new = NewPassword { mails, ..NewPassword::new(user.id, hash) };
                let is_done = store.set_password(&new, self.ports.clock.now()).await? == PasswordUpdate::Done;
                self.context().forgive_passwords(&user).await?;
                is_done
            }
            Action::RemoveSecondFactors => match self.remove_second_factors(&user).await? {
                true => true,
                false => return Ok(Outcome::NothingToDo),
            },
        };
        if !done {
            return Ok(Outcome::NoSuchAccount); // Deleted since it was read.
        }
        self.ports.note_changed(user.id);
        self.ports.record(SecurityEvent::of_user(action.event(), user.id));
        Ok(Outcome::Done)
    }

    /// Where administrators have to show a second factor, one who has not shown it is to log in once more: the sessions end
    /// with the change that gives the rights.
    async fn promote(&self, user: &User) -> Result<bool, AuthError> {
        if self.policy.second_factor == RequiredFor::Staff {
            return Ok(self.ports.store.promote(user.id, self.ports.clock.now()).await?);
        }
        Ok(self.ports.store.set_staff(user.id, true).await?)
    }

    /// `false` if none was on. Its owner is told of each.
    async fn remove_second_factors(&self, user: &User) -> Result<bool, AuthError> {
        let factors = self.ports.store.factors_of(user.id).await?;
        let mails = self.context().removal_notices(user, &factors.on(), &ClientInfo::default())?;
        Ok(self.ports.store.remove_factors(user.id, &[Method::Email, Method::Totp], None, &mails).await?)
    }

    /// The account with exactly this username.
    pub async fn find(&self, username: &str) -> Result<Option<User>, AuthError> {
        let name = LoginName::Username(username.to_owned());
        Ok(self.ports.store.find_for_login(&name).await?.map(|(user, _)| user))
    }

    /// Makes an account with whatever rights. [`AccountFault::Taken`] if its name or address is another's already.
    pub async fn create(&self, new: &NewUser, password: &CheckedPassword) -> Result<User, AuthError> {
        let hash = self.ports.hasher.hash(password, QueueShare::Whole).await?;
        let user = self.ports.store.create(new, &hash).await?.map_err(AccountFault::Taken)?;
        self.ports.record(SecurityEvent::of_user(EventKind::AccountAdministered, user.id));
        Ok(user)
    }

    /// Accounts in the order of their numbers.
    pub async fn list(&self, page: AccountPage) -> Result<Vec<User>, AuthError> {
        Ok(self.ports.store.list(page).await?)
    }

    /// Whether this installation has an owner's account.
    pub async fn has_superuser(&self) -> Result<bool, AuthError> {
        Ok(self.ports.store.has_superuser().await?)
    }
}
