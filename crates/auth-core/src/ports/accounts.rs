//! Accounts at rest.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::account::{GroupName, LoginName, NewUser, ProfileChange, Taken, User, UserId};
use crate::error::StoreError;
use crate::password::PasswordHash;
use crate::time::UnixTime;
use crate::token::Subject;

/// What became of a change to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for a request, and it is taken apart at once")]
pub enum ProfileUpdate {
    /// The account as it is now.
    Done(User),
    /// Another account has the name or address; nothing changed.
    Taken(Taken),
    /// There is no such account.
    Gone,
}

/// Where a list of accounts goes on: those with a number above `after`, at most `limit` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The last number of the page before; `None` for the first page.
    pub after: Option<UserId>,
    /// How many accounts at most.
    pub limit: u32,
}

/// Accounts and their password hashes at rest.
///
/// Uniqueness of names and addresses, as they are spelt and in their canonical forms, is the storage's to decide, at
/// the write, never by a read before it. A canonical name may be longer than the name. The number of an account is
/// never given to another one, not even after it was deleted: tokens that name it may still be around.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Stores a new, active account with its password hash; its `token_epoch` is the start of time. `Err(Taken)` and
    /// nothing stored if another account has its name or address; the name, if both.
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError>;

    /// The account with this number.
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The account that tokens name so: by its key from elsewhere, by its number if it has none, or by exactly its
    /// username or address.
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError>;

    /// The account with exactly this name or address, active or not, and its password hash, both read at one moment.
    /// Any text may be asked for; what can be no name is nobody's.
    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// Changes what is given and leaves the rest as it is at that moment.
    async fn update_profile(&self, id: UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError>;

    /// Replaces a hash by one of the same password at another cost, if and only if it is still `old`; `false`
    /// otherwise. Ends no session: the password has not changed.
    async fn upgrade_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError>;

    /// Sets another password: stores the hash, revokes every session of the account with the reason
    /// [`PasswordChanged`](crate::token::RevokeReason::PasswordChanged), moves its `token_epoch` on, to
    /// [`next_epoch`](crate::revocation::next_epoch). `false` if there is no such account.
    async fn set_password(&self, id: UserId, hash: &PasswordHash, now: UnixTime) -> Result<bool, StoreError>;

    /// Lets an account log in and refresh, or not. `false` if there is no such account.
    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError>;

    /// Makes an account an administrator's (`is_staff`), or an ordinary one (neither `is_staff` nor `is_superuser`).
    /// `false` if there is no such account.
    async fn set_staff(&self, id: UserId, staff: bool) -> Result<bool, StoreError>;

    /// Puts an account into these groups and no others. `false` if there is no such account.
    async fn set_groups(&self, id: UserId, groups: &BTreeSet<GroupName>) -> Result<bool, StoreError>;

    /// Deletes an account with its hash and all its sessions. `false` if there is no such account.
    async fn delete(&self, id: UserId) -> Result<bool, StoreError>;

    /// Accounts in the order of their numbers.
    async fn list(&self, page: AccountPage) -> Result<Vec<User>, StoreError>;

    /// Whether there is any account with `is_superuser`.
    async fn has_superuser(&self) -> Result<bool, StoreError>;
}
