//! Accounts: who may log in, under which name and address.

mod email;
mod new_user;
mod profile;
mod username;

pub use email::Email;
pub use new_user::{LoginName, NewEmail, NewUser, NewUserId, NewUserIds};
pub use profile::{PersonName, ProfileChange};
pub use username::{Username, UsernameRules};

use crate::password::PasswordFlaw;

/// The name or address that another account has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The username, also when the address is taken as well.
    Username,
    /// The address.
    Email,
}

/// Why an account cannot be as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountFault {
    /// Another account has it.
    Taken(Taken),
    /// A username outside its alphabet, or with control or invisible characters.
    BadUsername,
    /// Not an address (see [`Email`]).
    BadEmail,
    /// Control characters, such as line breaks, in a person's name.
    BadPersonName,
    /// Longer than so many characters.
    TooLong(usize),
    /// What is wrong with a password, in the order of the rules; never empty.
    WeakPassword(Vec<PasswordFlaw>),
}
