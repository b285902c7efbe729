//! Users, as tokens and rules see them.

mod group;
mod id;
mod subject;

use std::collections::BTreeSet;

pub use group::{BadGroupName, GroupName};
pub use id::{BadUserId, StringId, UserId};
pub(crate) use id::{is_canonical_integer, is_name};
pub use subject::{Subject, SubjectField};

use crate::time::{Timestamp, UnixTime};

/// Counts the changes that matter to the security of an account: to its rights (staff, superuser, active, groups), its
/// password, its second factors and its email address, and each end of all its sessions.
///
/// Each such change advances the stamp in the same transaction. A write that depends on what was read from the account is
/// conditional on the stamp that was read with it, so that no decision outlives the state it was based on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityStamp(i64);

impl SecurityStamp {
    /// The stamp after so many changes.
    pub const fn new(changes: i64) -> Self {
        Self(changes)
    }

    /// How many changes there were.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The stamp after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// An account at rest, without its password hash: nothing here opens a login.
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
    /// Its ID.
    pub id: UserId,
    /// The name it logs in with.
    pub username: String,
    /// Its email address, as given; `None`: it has none.
    pub email: Option<String>,
    /// Whether the address is a login name: the user may log in with it and is found by it, and no other user has it as one. If
    /// not, it is a contact only, which any number of users may have, and means none of them. Not where there is no address.
    pub email_is_login_name: bool,
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// Whether it may log in and refresh.
    pub is_active: bool,
    /// Whether it is an administrator's.
    pub is_staff: bool,
    /// Whether it was made as the owner's of this installation.
    pub is_superuser: bool,
    /// The groups it is in.
    pub groups: BTreeSet<GroupName>,
    /// When it was made.
    pub date_joined: Timestamp,
    /// When it last logged in.
    pub last_login: Option<Timestamp>,
    /// When its address was proven to be its owner's.
    pub email_verified_at: Option<Timestamp>,
    /// Tokens of no session that were issued up to this moment are refused. Moved to "now" by whatever ends all logins.
    pub token_epoch: UnixTime,
    /// Since when the user has second factors, counted from the first one ever; `None` without one. Tokens that another
    /// issuer issued since are refused.
    pub multi_factor_since: Option<UnixTime>,
    /// Advanced by every change to its rights, its password, its second factors or its email address.
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

    /// How tokens name this account, in an installation where they do so by this field; `None` by the email address, where it is
    /// no [login name](Self::login_email).
    pub fn subject(&self, field: SubjectField) -> Option<Subject> {
        match field {
            SubjectField::Id => Some(Subject::Id(self.id.clone())),
            SubjectField::Username => Some(Subject::Username(self.username.clone())),
            SubjectField::Email => self.login_email().map(|email| Subject::Email(email.to_owned())),
        }
    }

    /// The email address, if it is a login name. Nothing but this one may be taken for the user: others may have the same
    /// address as a contact.
    pub fn login_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_is_login_name)
    }

    /// Its role by its rights: `admin` for staff, else `user`.
    pub const fn role(&self) -> &'static str {
        if self.is_staff { "admin" } else { "user" }
    }
}
