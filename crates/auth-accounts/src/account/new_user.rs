//! An account to be stored, and the name that a login uses.

use auth_core::ports::Randomness;
use auth_core::time::Timestamp;
use auth_core::token::random_uuid;
use auth_core::user::{StringId, UserId};
use uuid::Uuid;

use crate::account::{Email, PersonName, Username};
use crate::mail::NewMail;

/// An account to be stored. It starts active, without privileges unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Its ID; with [`NewUserId::Next`] the storage assigns one.
    pub id: NewUserId,
    /// The name to log in with.
    pub username: Username,
    /// Its address.
    pub email: Email,
    /// First name; may be empty.
    pub first_name: PersonName,
    /// Last name; may be empty.
    pub last_name: PersonName,
    /// Whether it is an administrator's.
    pub is_staff: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// When it is made.
    pub date_joined: Timestamp,
    /// When its address was proven to be its owner's; `None`: it was not.
    pub email_verified_at: Option<Timestamp>,
    /// What goes into the outbox with it.
    pub mails: Vec<NewMail>,
}

/// The ID of a user to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NewUserId {
    /// The next integer. Only the storage assigns integers, so that it never assigns one twice.
    #[default]
    Next,
    /// A UUID.
    Uuid(Uuid),
    /// A string of the host's.
    String(StringId),
}

impl NewUserId {
    /// The ID, unless the storage assigns it.
    pub fn known(&self) -> Option<UserId> {
        match self {
            Self::Next => None,
            Self::Uuid(id) => Some(UserId::Uuid(*id)),
            Self::String(id) => Some(UserId::String(id.clone())),
        }
    }
}

/// Which IDs new users get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewUserIds {
    /// Integers that the storage assigns: 1, 2, 3 and so on, perhaps with gaps.
    #[default]
    Integer,
    /// Random UUIDs (version 4, RFC 9562 §5.4).
    Uuid,
}

impl NewUserIds {
    /// The ID of one new user.
    pub fn next(self, randomness: &dyn Randomness) -> NewUserId {
        match self {
            Self::Integer => NewUserId::Next,
            Self::Uuid => NewUserId::Uuid(random_uuid(randomness)),
        }
    }
}

/// What a login names its account by. Compared exactly, letter case included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// By username.
    Username(String),
    /// By address.
    Email(String),
}
