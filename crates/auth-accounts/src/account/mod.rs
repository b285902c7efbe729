//! Accounts: usernames, email addresses and profiles.

mod email;
mod new_user;
mod profile;
mod username;

pub use email::Email;
pub use new_user::{LoginName, NewEmail, NewUser, NewUserId, NewUserIds};
pub use profile::{PersonName, ProfileChange};
pub use username::{Username, UsernameRules};

use crate::password::PasswordFlaw;

/// Which login name belongs to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The username. Also if both are taken.
    Username,
    /// The email address.
    Email,
}

/// Why a field of an account is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountFault {
    /// Another account has this login name.
    Taken(Taken),
    /// The username is empty or has characters that are not allowed (see [`Username`]).
    BadUsername,
    /// Not a valid email address (see [`Email`]).
    BadEmail,
    /// A first or last name contains control characters, such as line breaks.
    BadPersonName,
    /// Longer than this number of characters.
    TooLong(usize),
    /// The rules that the password breaks, in the order of the rules; never empty.
    WeakPassword(Vec<PasswordFlaw>),
}
