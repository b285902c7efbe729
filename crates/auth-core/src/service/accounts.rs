//! What people do with their own accounts.

use crate::account::{AccountFault, Email, NewUser, PersonName, ProfileChange, User, Username};
use crate::error::AuthError;
use crate::event::{EventKind, SecurityEvent};
use crate::password::CheckedPassword;
use crate::ports::ProfileUpdate;
use crate::service::{Caller, Ports};

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

/// Registration and profiles.
#[derive(Clone)]
pub struct AccountService {
    ports: Ports,
}

impl AccountService {
    /// A service on these adapters.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Makes an ordinary, active account. [`AccountFault::Taken`] if its name or address is another's already: the
    /// storage decides, so that of any number of registrations at once one wins (SEC-065).
    pub async fn register(&self, account: NewAccount) -> Result<User, AuthError> {
        let hash = self.ports.hasher.hash(&account.password).await?;
        let new = NewUser {
            username: account.username,
            email: account.email,
            first_name: account.first_name,
            last_name: account.last_name,
            is_staff: false,
            is_superuser: false,
            date_joined: self.ports.clock.timestamp(),
            email_verified_at: None,
            mails: Vec::new(),
        };
        let user = self.ports.store.create(&new, &hash).await?.map_err(AccountFault::Taken)?;
        self.ports.record(SecurityEvent::of_user(EventKind::AccountRegistered, user.id));
        Ok(user)
    }

    /// The caller's account as it is at this moment.
    ///
    /// # Errors
    /// [`AuthError::UserNotFound`] if it has been deleted since.
    pub async fn profile(&self, caller: &Caller) -> Result<User, AuthError> {
        self.ports.store.find_user(caller.user.id).await?.ok_or(AuthError::UserNotFound)
    }

    /// Changes what is given of the caller's profile. [`AccountFault::Taken`] if a name or address is another's.
    pub async fn update_profile(&self, caller: Caller, change: &ProfileChange) -> Result<User, AuthError> {
        if change.is_empty() {
            return Ok(caller.user);
        }
        match self.ports.store.update_profile(caller.user.id, change).await? {
            ProfileUpdate::Done(user) => {
                self.ports.note_changed(user.id);
                self.ports.record(SecurityEvent::of_user(EventKind::ProfileChanged, user.id));
                Ok(user)
            }
            ProfileUpdate::Taken(taken) => Err(AccountFault::Taken(taken).into()),
            ProfileUpdate::Gone => Err(AuthError::UserNotFound),
        }
    }
}
