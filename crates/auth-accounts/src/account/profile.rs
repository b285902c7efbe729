//! The fields that users may change in their own accounts.

use auth_core::effects::Effects;
use auth_core::user::SecurityStamp;

use crate::account::{AccountFault, Email, Username};

/// A first or last name: at most 150 characters, without control characters such as line breaks; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PersonName(String);

impl PersonName {
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 150;

    /// Parses a name.
    ///
    /// # Errors
    /// [`AccountFault::TooLong`] or [`AccountFault::BadPersonName`].
    pub fn parse(input: &str) -> Result<Self, AccountFault> {
        if input.chars().count() > Self::MAX_CHARS {
            return Err(AccountFault::TooLong(Self::MAX_CHARS));
        }
        if input.chars().any(char::is_control) {
            return Err(AccountFault::BadPersonName);
        }
        Ok(Self(input.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Changes to a profile. Fields that are `None` stay unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// A new username.
    pub username: Option<Username>,
    /// A new email address.
    pub email: Option<Email>,
    /// A new first name.
    pub first_name: Option<PersonName>,
    /// A new last name.
    pub last_name: Option<PersonName>,
    /// Changes the account only if it still has this security stamp, on which the reauthentication was based.
    pub only_at: Option<SecurityStamp>,
    /// Committed in the same transaction.
    pub effects: Effects,
}

impl ProfileChange {
    /// Whether no field changes.
    pub const fn is_empty(&self) -> bool {
        let Self { username, email, first_name, last_name, only_at: _, effects: _ } = self;
        username.is_none() && email.is_none() && first_name.is_none() && last_name.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_names_accept_everything_except_control_characters() {
        for (input, expected) in [
            ("", Ok(())),
            ("Renée O'Hara-Ñuñez 李", Ok(())),
            ("a\r\nb", Err(AccountFault::BadPersonName)),
            ("a\0", Err(AccountFault::BadPersonName)),
            (&*"x".repeat(151), Err(AccountFault::TooLong(150))),
        ] {
            assert_eq!(PersonName::parse(input).map(|_| ()), expected, "{input:?}");
        }
    }
}
