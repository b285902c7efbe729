//! New accounts and login names.

use auth_core::effects::Effects;
use auth_core::ports::Randomness;
use auth_core::time::Timestamp;
use auth_core::token::random_uuid;
use auth_core::user::{StringId, UserId};
use uuid::Uuid;

use crate::account::{Email, PersonName, Username};

/// An account to be created. It starts active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The user ID; with [`NewUserId::Next`], the storage assigns one.
    pub id: NewUserId,
    /// The username.
    pub username: Username,
    /// The email address, if there is one.
    pub email: Option<NewEmail>,
    /// First name; may be empty.
    pub first_name: PersonName,
    /// Last name; may be empty.
    pub last_name: PersonName,
    /// Whether the user is staff.
    pub is_staff: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// When the account is created.
    pub date_joined: Timestamp,
    /// Whether the user is imported. An imported username is refused only if another user has exactly the same one. If
    /// its [canonical form](Username::canonical) is taken, it reserves only its own spelling.
    pub is_imported: bool,
    /// When the email address was verified; `None` if it is unverified.
    pub email_verified_at: Option<Timestamp>,
    /// The effects, committed in the same transaction. Events without a user refer to the new user.
    pub effects: Effects,
}

/// The ID of a user to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NewUserId {
    /// The next integer. Only the storage assigns integers, so that it never assigns one twice.
    #[default]
    Next,
    /// A UUID.
    Uuid(Uuid),
    /// A string chosen by the host.
    String(StringId),
}

impl NewUserId {
    /// The user ID; `None` if the storage assigns it.
    pub fn known(&self) -> Option<UserId> {
        match self {
            Self::Next => None,
            Self::Uuid(id) => Some(UserId::Uuid(*id)),
            Self::String(id) => Some(UserId::String(id.clone())),
        }
    }
}

/// The kind of user ID that new users get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewUserIds {
    /// Integers that the storage assigns: 1, 2, 3 and so on, perhaps with gaps.
    #[default]
    Integer,
    /// Random UUIDs (version 4, RFC 9562 §5.4).
    Uuid,
}

impl NewUserIds {
    /// The user ID of one new user.
    pub fn next(self, randomness: &dyn Randomness) -> NewUserId {
        match self {
            Self::Integer => NewUserId::Next,
            Self::Uuid => NewUserId::Uuid(random_uuid(randomness)),
        }
    }
}

/// The email address of a user to be created, and its role.
///
/// ```
/// use auth_accounts::account::{Email, NewEmail};
/// let email = Email::parse("info@example.com").unwrap();
/// assert_eq!(NewEmail::LoginName(email.clone()).login_name(), Some(&email));
/// assert_eq!(NewEmail::Contact(email.clone()).login_name(), None);
/// assert_eq!(NewEmail::Contact(email.clone()).email(), &email);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewEmail {
    /// A login name. No other user may have a login name with the same [canonical form](Email::canonical).
    LoginName(Email),
    /// A contact, which only receives emails. Any number of users may share it, and no request finds a user by it.
    Contact(Email),
}

impl NewEmail {
    /// The email address.
    pub const fn email(&self) -> &Email {
        let (Self::LoginName(email) | Self::Contact(email)) = self;
        email
    }

    /// The email address, if it is a login name.
    pub const fn login_name(&self) -> Option<&Email> {
        match self {
            Self::LoginName(email) => Some(email),
            Self::Contact(_) => None,
        }
    }
}

/// The login name as it was entered. Compared exactly, including letter case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// A username.
    Username(String),
    /// An email address.
    Email(String),
}
