//! Accounts at rest.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::ports::{KeptSession, ReplacedSession};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::user::{GroupName, SecurityStamp, User, UserId};

use crate::account::{Email, LoginName, NewUser, ProfileChange, Taken};
use crate::code::CodeId;
use crate::password::PasswordHash;
use crate::second_factor::Method;

/// What became of a change to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for a request, and it is taken apart at once")]
pub enum ProfileUpdate {
    /// The account as it is now.
    Done(User),
    /// Another account has the name or address; nothing changed.
    Taken(Taken),
    /// The account no longer has the [stamp](ProfileChange::only_at) that it must have; nothing changed.
    Overtaken,
    /// There is no such account.
    Gone,
}

/// A password to be set, and what has to happen with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// Whose it is.
    pub user: UserId,
    /// Its hash.
    pub hash: PasswordHash,
    /// Sets the password only if this is still the stamp of the account: the old password was compared, and what else to ask
    /// for was decided, on the account with this stamp.
    pub only_at: Option<SecurityStamp>,
    /// Only if this code of the account can be used, whatever its attempts: it is neither used nor ended, and its time is
    /// now.
    pub code: Option<CodeId>,
    /// The address that this proves, if it is that of the account.
    pub proves: Option<Email>,
    /// The second factors to remove. If this verifies the email address for the first time ([`proves`](Self::proves) is the
    /// address of the account, and it is unverified), these must be exactly the factors that are on. Otherwise it must be
    /// empty, and all factors stay.
    pub removes: Vec<Method>,
    /// The session that goes on; without one, all of them end.
    pub keep: Option<KeptSession>,
    /// The session that begins in the place of one that ends.
    pub replace: Option<ReplacedSession>,
    /// What is committed with it.
    pub effects: Effects,
}

impl NewPassword {
    /// A password without conditions: all sessions end, no mail is sent.
    pub const fn new(user: UserId, hash: PasswordHash) -> Self {
        Self {
            user,
            hash,
            only_at: None,
            code: None,
            proves: None,
            removes: Vec::new(),
            keep: None,
            replace: None,
            effects: Effects::NONE,
        }
    }
}

/// What became of a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordUpdate {
    /// It was set.
    Done,
    /// A condition does not hold, and nothing was done: another stamp, a code that cannot be used, a session that went on or
    /// ended, other second factors than [those to remove](NewPassword::removes).
    Overtaken,
    /// There is no such account.
    Gone,
}

/// An address that was proven by a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEmail {
    /// Whose it is.
    pub user: UserId,
    /// The code that proved it.
    pub code: CodeId,
    /// The address.
    pub email: Email,
    /// Whether it becomes the address of the account; otherwise it has to be that already.
    pub is_change: bool,
    /// Verifies the address only if this is still the stamp of the account: its second factors were read with this stamp.
    pub only_at: Option<SecurityStamp>,
    /// What is committed with it.
    pub effects: Effects,
}

/// What became of a proven address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for a request, and it is taken apart at once")]
pub enum EmailUpdate {
    /// The account as it is now.
    Done(User),
    /// Another account has the address; nothing changed, and the code is as it was.
    Taken,
    /// The code cannot be used, the address is not that of the account any more, or the account no longer has the
    /// [stamp](VerifiedEmail::only_at) that it must have; nothing changed.
    Overtaken,
}

/// Which part of the list of users to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The [end](ListedUsers::end) of the page before; `None` for the first page.
    pub after: Option<ListPosition>,
    /// The maximum number of users.
    pub limit: u32,
}

/// A position in the list of users. Its number is the storage's own and says nothing to anyone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPosition(i64);

impl ListPosition {
    /// The position with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A part of the list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUsers {
    /// The users, in the order in which they were created.
    pub users: Vec<User>,
    /// The position after the last of them; `None` if there are none, and so none after them. It stays valid if that user is
    /// deleted.
    pub end: Option<ListPosition>,
}

/// Accounts and their password hashes at rest.
///
/// Uniqueness of names and addresses, as they are spelt and in their canonical forms, is the storage's to decide, at
/// the write, never by a read before it. A canonical name may be longer than the name. An ID that the storage has assigned is
/// never assigned again, not even after its user was deleted: tokens that name it may still be around.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Stores a new, active account with its password hash, and [its ID](NewUser::id) or the next integer; its `token_epoch`
    /// is the start of time. Its effects are committed with it, the events as
    /// [`events_of_new`](Effects::events_of_new). `Err(Taken)` and nothing stored if another account has its name or address;
    /// the name, if both.
    ///
    /// # Errors
    /// [`StoreError`] also if another user has its ID.
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError>;

    /// The user with this ID.
    async fn find_user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// The account with exactly this name or address, active or not, and its password hash, both read at one moment.
    /// Any text may be asked for; what can be no name is nobody's.
    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// The account whose address has the same canonical form.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;

    /// Changes the given fields, if the account has the [required stamp](ProfileChange::only_at), and commits the effects.
    /// An email address with another canonical form is unverified, advances the `security_stamp`, and ends every open code
    /// of the account, since it may have been sent to the former address. The time at which they ended makes no difference.
    async fn update_profile(&self, id: &UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError>;

    /// Replaces a hash by one of the same password at another cost, if and only if it is still `old`; `false`
    /// otherwise. Ends no session: the password has not changed.
    async fn upgrade_hash(&self, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError>;

    /// Sets a new password, if its conditions hold. In one transaction:
    ///
    /// - stores the hash, and advances the `security_stamp`;
    /// - revokes every session of the account but the one to keep, with the reason
    ///   [`PasswordChanged`](auth_core::token::RevokeReason::PasswordChanged), advances the `token_epoch` to
    ///   [`next_epoch`](auth_core::revocation::next_epoch), and begins the session that replaces one of those;
    /// - ends every open code of the account (SEC-111);
    /// - marks the email address as verified (`email_verified_at`), and removes the second factors that were added before it
    ///   was, with their recovery codes;
    /// - commits the effects.
    ///
    /// Of several concurrent calls with the same condition, one succeeds.
    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError>;

    /// Notes that the address of an account was proven, or changes it to one that was; uses the code, whatever its attempts;
    /// commits the effects. A change also advances the `security_stamp` and ends every open code of the account.
    async fn confirm_email(&self, proven: &VerifiedEmail, now: Timestamp) -> Result<EmailUpdate, StoreError>;

    /// Activates or deactivates an account, and advances its `security_stamp`. Deactivation also ends its open codes:
    /// activating the account again does not make them valid. Commits the effects even if the account was so already. Returns
    /// `false` if the account does not exist.
    async fn set_active(&self, id: &UserId, active: bool, effects: &Effects) -> Result<bool, StoreError>;

    /// Makes an account an administrator's (`is_staff`), or an ordinary one (neither `is_staff` nor `is_superuser`), and
    /// advances its `security_stamp`. Commits the effects even if the account was so already. Returns `false` if the account
    /// does not exist.
    async fn set_staff(&self, id: &UserId, staff: bool, effects: &Effects) -> Result<bool, StoreError>;

    /// Makes an account an administrator's, as [`set_staff`](Self::set_staff) does. If it was not one before, all its
    /// sessions are revoked in the same transaction with the reason
    /// [`Administrator`](auth_core::token::RevokeReason::Administrator), and its `token_epoch` advances to
    /// [`next_epoch`](auth_core::revocation::next_epoch), so that no session from before gains the rights; and the codes with a purpose of
    /// [`ENDED_BY_FACTOR_CHANGES`](crate::code::CodePurpose::ENDED_BY_FACTOR_CHANGES) end, which may have been asked for with
    /// less than an administrator must show. Otherwise only the effects are committed. Returns `false` if the account does not
    /// exist.
    async fn promote(&self, id: &UserId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError>;

    /// Puts an account into these groups and no others, and advances its `security_stamp`. Commits the effects even if the
    /// account was in these groups already. Returns `false` if the account does not exist.
    async fn set_groups(
        &self,
        id: &UserId,
        groups: &BTreeSet<GroupName>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Deletes an account with its hash and all that belongs to it: sessions, codes, second factors, and its emails in the
    /// outbox. Events about it stay, and those of the effects are committed with the deletion; messages of the effects are
    /// not, since they belong to the account. `false` if there is no such account.
    async fn delete(&self, id: &UserId, effects: &Effects) -> Result<bool, StoreError>;

    /// A page of all users, in the order in which they were created.
    async fn list(&self, page: AccountPage) -> Result<ListedUsers, StoreError>;

    /// Whether there is any account with `is_superuser`.
    async fn has_superuser(&self) -> Result<bool, StoreError>;
}
