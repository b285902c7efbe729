//! Users, as tokens and permission rules see them.

mod group;
mod id;
mod subject;

use std::collections::BTreeSet;

pub use group::{BadGroupName, GroupName};
pub use id::{BadUserId, StringId, UserId};
pub(crate) use id::{is_canonical_integer, is_name};
pub use subject::{Subject, SubjectField};

use crate::time::{Timestamp, UnixTime};

/// The counter of security-relevant changes to an account: to its rights (staff, superuser, active, groups), password,
/// second factors and email address, and each revocation of all its sessions.
///
/// Each such change advances the stamp in the same transaction. A write that depends on the account is conditional on
/// the stamp that was read with it, so that no decision outlives the state it was based on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityStamp(i64);

impl SecurityStamp {
    /// The stamp after this many changes.
    pub const fn new(changes: i64) -> Self {
        Self(changes)
    }

    /// The number of changes.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The stamp after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// An account as it is stored, without its password hash and second factors.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{MemoryStore, hash_of, new_user};
/// use auth_accounts::ports::Accounts;
/// use auth_core::token::SubjectField;
/// let alice = MemoryStore::default().create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
/// assert_eq!(alice.role(), "user");
/// let claim = |field| alice.subject(field).map(|subject| subject.to_claim());
/// assert_eq!(claim(SubjectField::Id).as_deref(), Some("1"));
/// assert_eq!(claim(SubjectField::Username).as_deref(), Some("alice"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user ID.
    pub id: UserId,
    /// The username.
    pub username: String,
    /// The email address as it was given, if any.
    pub email: Option<String>,
    /// Whether the email address is a login name, which no two users share. If not, it is a contact: any number of
    /// users may have it, and no user is found by it. `false` without an email address.
    pub email_is_login_name: bool,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// Whether the user may log in and refresh.
    pub is_active: bool,
    /// Whether the user is staff.
    pub is_staff: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// The groups of the user.
    pub groups: BTreeSet<GroupName>,
    /// When the account was created.
    pub date_joined: Timestamp,
    /// When the user last logged in.
    pub last_login: Option<Timestamp>,
    /// When the email address was verified.
    pub email_verified_at: Option<Timestamp>,
    /// The token epoch: tokens without a session that were issued up to this time are refused. Advanced whenever all
    /// sessions are revoked.
    pub token_epoch: UnixTime,
    /// When the user's first second factor ever was added; `None` while the user has none. Externally issued tokens
    /// from after that time are refused.
    pub multi_factor_since: Option<UnixTime>,
    /// The security stamp.
    pub security_stamp: SecurityStamp,
}

impl User {
    /// Creates an active user without rights, email address or groups, who has never logged in.
    ///
    /// ```
    /// use auth_core::time::Timestamp;
    /// use auth_core::user::{User, UserId};
    /// let alice = User::new(UserId::new(1), "alice", Timestamp::from_micros(0));
    /// assert!(alice.is_active && !alice.is_staff && alice.email.is_none());
    /// let admin = User { is_staff: true, ..User::new(UserId::new(2), "admin", Timestamp::from_micros(0)) };
    /// assert_eq!(admin.role(), "admin");
    /// ```
    pub fn new(id: UserId, username: impl Into<String>, date_joined: Timestamp) -> Self {
        Self {
            id,
            username: username.into(),
            email: None,
            email_is_login_name: false,
            first_name: String::new(),
            last_name: String::new(),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            groups: BTreeSet::new(),
            date_joined,
            last_login: None,
            email_verified_at: None,
            token_epoch: UnixTime::default(),
            multi_factor_since: None,
            security_stamp: SecurityStamp::default(),
        }
    }

    /// The subject of the user's tokens, where tokens name users by this field. `None` for [`SubjectField::Email`] if
    /// the user has no [email address that is a login name](Self::login_email).
    pub fn subject(&self, field: SubjectField) -> Option<Subject> {
        match field {
            SubjectField::Id => Some(Subject::Id(self.id.clone())),
            SubjectField::Username => Some(Subject::Username(self.username.clone())),
            SubjectField::Email => self.login_email().map(|email| Subject::Email(email.to_owned())),
        }
    }

    /// The email address, if it is a login name. A contact does not identify the user, because others may have the
    /// same.
    pub fn login_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_is_login_name)
    }

    /// The role that follows from the rights: `admin` for staff, otherwise `user`.
    pub const fn role(&self) -> &'static str {
        if self.is_staff { "admin" } else { "user" }
    }
}
