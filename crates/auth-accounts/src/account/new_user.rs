//! An account to be stored, and the name that a login uses.

use auth_core::time::Timestamp;

use crate::account::{Email, PersonName, Username};
use crate::mail::NewMail;

/// An account to be stored. It starts active, without privileges unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
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

/// What a login names its account by. Compared exactly, letter case included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// By username.
    Username(String),
    /// By address.
    Email(String),
}
