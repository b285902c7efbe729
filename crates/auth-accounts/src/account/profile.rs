//! What people may change of their own account.

use auth_core::effects::Effects;
use auth_core::user::SecurityStamp;

use crate::account::{AccountFault, Email, Username};

/// A first or last name: at most 150 characters, no control characters (line breaks least of all); may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PersonName(String);

impl PersonName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 150;

    /// Checks and keeps a name.
    pub fn parse(text: &str) -> Result<Self, AccountFault> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(AccountFault::TooLong(Self::MAX_CHARS));
        }
        if text.chars().any(char::is_control) {
            return Err(AccountFault::BadPersonName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The changes to a profile; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// A new name to log in with.
    pub username: Option<Username>,
    /// A new address.
    pub email: Option<Email>,
    /// A new first name.
    pub first_name: Option<PersonName>,
    /// A new last name.
    pub last_name: Option<PersonName>,
    /// Changes the account only if this is still its stamp: what to ask for was decided on the account with this stamp.
    pub only_at: Option<SecurityStamp>,
    /// What is committed with the change.
    pub effects: Effects,
}

impl ProfileChange {
    /// Whether nothing is to change.
    pub const fn is_empty(&self) -> bool {
        let Self { username, email, first_name, last_name, only_at: _, effects: _ } = self;
        username.is_none() && email.is_none() && first_name.is_none() && last_name.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_may_be_called_anything_visible() {
        for (text, expected) in [
            ("", Ok(())),
            ("Renée O'Hara-Ñuñez 李", Ok(())),
            ("a\r\nb", Err(AccountFault::BadPersonName)),
            ("a\0", Err(AccountFault::BadPersonName)),
            (&*"x".repeat(151), Err(AccountFault::TooLong(150))),
        ] {
            assert_eq!(PersonName::parse(text).map(|_| ()), expected, "{text:?}");
        }
    }
}
