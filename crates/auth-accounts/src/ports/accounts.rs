//! Storage of accounts.

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

/// The outcome of [`Accounts::update_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "each request makes one and matches on it at once")]
pub enum ProfileUpdate {
    /// It was done. The account after the change.
    Done(User),
    /// Another account has the login name; nothing changed.
    Taken(Taken),
    /// The account no longer has the required [security stamp](ProfileChange::only_at); nothing changed.
    Overtaken,
    /// The account does not exist.
    Gone,
}

/// A new password, its conditions, and the changes committed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// The user.
    pub user: UserId,
    /// The hash of the password.
    pub hash: PasswordHash,
    /// Sets the password only if the account still has this security stamp, on which the reauthentication was based.
    pub only_at: Option<SecurityStamp>,
    /// Sets the password only if this code of the account was neither used nor ended and has not expired. Its attempts are not
    /// checked.
    pub code: Option<CodeId>,
    /// The email address that the code verifies, if it is still that of the account.
    pub verifies: Option<Email>,
    /// The second factors to remove. If the email address is verified for the first time ([`verifies`](Self::verifies) is the
    /// address of the account, and it is unverified), these must be exactly the factors that are on. Otherwise this must be
    /// empty, and all factors stay.
    pub removes: Vec<Method>,
    /// The session to keep. All others are revoked; without one, all of them.
    pub keep: Option<KeptSession>,
    /// The session that replaces one of the revoked sessions.
    pub replace: Option<ReplacedSession>,
    /// Committed in the same transaction.
    pub effects: Effects,
}

impl NewPassword {
    /// A password without conditions and effects, which revokes all sessions.
    pub const fn new(user: UserId, hash: PasswordHash) -> Self {
        Self {
            user,
            hash,
            only_at: None,
            code: None,
            verifies: None,
            removes: Vec::new(),
            keep: None,
            replace: None,
            effects: Effects::NONE,
        }
    }
}

/// The outcome of [`Accounts::set_password`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordUpdate {
    /// The password was set.
    Done,
    /// A condition does not hold, and nothing changed: the security stamp differs, the code cannot be used, a session was
    /// rotated or revoked, or the second factors are not [those to remove](NewPassword::removes).
    Overtaken,
    /// The account does not exist.
    Gone,
}

/// An email address that a code verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEmail {
    /// The user.
    pub user: UserId,
    /// The code.
    pub code: CodeId,
    /// The email address.
    pub email: Email,
    /// Whether it becomes the email address of the account. Otherwise it must be that already.
    pub is_change: bool,
    /// Verifies the email address only if the account still has this security stamp, at which its second factors were read.
    pub only_at: Option<SecurityStamp>,
    /// Committed in the same transaction.
    pub effects: Effects,
}

/// The outcome of [`Accounts::confirm_email`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "each request makes one and matches on it at once")]
pub enum EmailUpdate {
    /// It was done. The account after the change.
    Done(User),
    /// Another account has the email address; nothing changed, and the code was not used.
    Taken,
    /// The code cannot be used, the email address is no longer that of the account, or the account no longer has the required
    /// [security stamp](VerifiedEmail::only_at); nothing changed.
    Overtaken,
}

/// A page of the list of users to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The [end](ListedUsers::end) of the previous page; `None` for the first page.
    pub after: Option<ListPosition>,
    /// The maximum number of users.
    pub limit: u32,
}

/// A position in the list of users. Its number has a meaning only for the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListPosition(i64);

impl ListPosition {
    /// The position with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number of the position.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A page of the list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUsers {
    /// The users, in the order in which they were created.
    pub users: Vec<User>,
    /// The position after the last of them, which stays valid if that user is deleted; `None` if the page is empty.
    pub end: Option<ListPosition>,
}

/// Storage of accounts and their password hashes.
///
/// The storage enforces that usernames and email addresses are unique, both as spelt and in canonical form, by the write itself
/// and not by a read before it (SEC-065). A canonical form may be longer than the original. An ID that the storage has assigned
/// is never assigned again, even after its user was deleted, because tokens for that user may still be valid.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates an active account with its password hash, under [its ID](NewUser::id) or the next integer, and with the minimal
    /// `token_epoch`. Commits its effects, with the events as [`events_of_new`](Effects::events_of_new).
    ///
    /// Returns `Err(Taken)` and stores nothing if another account has its username or email address;
    /// [`Taken::Username`] if both are taken.
    ///
    /// # Errors
    /// [`StoreError`], also if another user has the ID.
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError>;

    /// Finds the user with this ID.
    async fn find_user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// Finds the account with exactly this login name, active or not, and its password hash. Both are read in one query. Accepts
    /// any string; one that is not a valid login name matches no account.
    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// Finds the account whose login name is an email address with the same canonical form.
    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;

    /// Changes the given fields, if the account has the [required security stamp](ProfileChange::only_at), and commits the
    /// effects. An email address with another canonical form is unverified, advances the `security_stamp`, and ends every open
    /// code of the account, since codes may have been sent to the former address. The storage may choose the time at which they
    /// end.
    async fn update_profile(&self, id: &UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError>;

    /// Replaces a hash by one of the same password, of another algorithm or cost, if the stored hash is still `old`. Returns
    /// `false` otherwise. Revokes no session, since the password has not changed.
    async fn upgrade_hash(&self, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError>;

    /// Sets a new password, if its conditions hold. In one transaction:
    ///
    /// - stores the hash, and advances the `security_stamp`;
    /// - revokes every session of the account but the one to keep, with the reason
    ///   [`PasswordChanged`](auth_core::token::RevokeReason::PasswordChanged), advances the `token_epoch` to
    ///   [`next_epoch`](auth_core::revocation::next_epoch), and creates the session that replaces one of those;
    /// - ends every open code of the account (SEC-111);
    /// - marks the email address as verified (`email_verified_at`), and removes the second factors that were added before that,
    ///   with their recovery codes (SEC-134);
    /// - commits the effects.
    ///
    /// Of several concurrent calls with the same condition, one succeeds.
    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError>;

    /// Marks the email address of an account as verified, or changes it to a verified one. Uses the code, without checking its
    /// attempts, and commits the effects. A change also advances the `security_stamp` and ends every open code of the account.
    async fn confirm_email(&self, verified: &VerifiedEmail, now: Timestamp) -> Result<EmailUpdate, StoreError>;

    /// Activates or deactivates an account, and advances its `security_stamp`. Deactivation also ends its open codes, which stay
    /// ended if the account is activated again. Commits the effects even if the account is unchanged. Returns `false` if the
    /// account does not exist.
    async fn set_active(&self, id: &UserId, active: bool, effects: &Effects) -> Result<bool, StoreError>;

    /// Makes a user staff (`is_staff`), or removes both `is_staff` and `is_superuser`, and advances the `security_stamp`.
    /// Commits the effects even if the account is unchanged. Returns `false` if the account does not exist.
    async fn set_staff(&self, id: &UserId, staff: bool, effects: &Effects) -> Result<bool, StoreError>;

    /// Makes a user staff, as [`set_staff`](Self::set_staff) does. If the user was not staff before, in the same transaction:
    ///
    /// - revokes all sessions of the account, with the reason
    ///   [`Administrator`](auth_core::token::RevokeReason::Administrator), and advances its `token_epoch` to
    ///   [`next_epoch`](auth_core::revocation::next_epoch), so that no earlier session gains the rights;
    /// - ends the open codes with a purpose of
    ///   [`ENDED_BY_FACTOR_CHANGES`](crate::code::CodePurpose::ENDED_BY_FACTOR_CHANGES), which may have been requested with
    ///   weaker authentication than staff needs.
    ///
    /// Otherwise only the effects are committed. Returns `false` if the account does not exist.
    async fn promote(&self, id: &UserId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError>;

    /// Replaces the groups of an account, and advances its `security_stamp`. Commits the effects even if the account is
    /// unchanged. Returns `false` if the account does not exist.
    async fn set_groups(
        &self,
        id: &UserId,
        groups: &BTreeSet<GroupName>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Deletes an account with its password hash, sessions, codes, second factors, and emails in the outbox. Its security events
    /// stay. Commits the events of the effects, but not their messages, which would belong to the deleted account. Returns
    /// `false` if the account does not exist.
    async fn delete(&self, id: &UserId, effects: &Effects) -> Result<bool, StoreError>;

    /// Lists a page of all users, in the order in which they were created.
    async fn list(&self, page: AccountPage) -> Result<ListedUsers, StoreError>;

    /// Whether any account has `is_superuser`.
    async fn has_superuser(&self) -> Result<bool, StoreError>;
}
