//! Groups: the roles that an installation gives its accounts.

use std::error::Error;
use std::fmt;

/// The name of a group: 1 to 150 characters of any script, without control characters and without white space at either
/// end, as a group of Django may be called. Not `admin` nor `user`: those are the roles that every user has by `is_staff`.
///
/// Names are compared as given, byte by byte, and never normalised: a permission rule means the group whose name is
/// written in the same way, and an imported name stays what it was. So `é` as one character and as `e` with a combining
/// accent make two names.
///
/// ```
/// use auth_core::user::GroupName;
/// assert!(GroupName::parse("editors").is_ok());
/// assert!(GroupName::parse("Éditeurs du journal").is_ok());
/// assert!(GroupName::parse(" editors").is_err());
/// assert!(GroupName::parse("admin").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 150;
    /// Names that would be mistaken for the roles of [`User::role`](crate::user::User::role).
    pub const RESERVED: [&'static str; 2] = ["admin", "user"];

    /// Checks and keeps a name.
    ///
    /// # Errors
    /// [`BadGroupName`] if no group can have it.
    pub fn parse(text: &str) -> Result<Self, BadGroupName> {
        let is_within_bounds = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        let is_visible = text == text.trim() && !text.chars().any(char::is_control);
        match is_within_bounds && is_visible && !Self::RESERVED.contains(&text) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadGroupName),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name that no group can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadGroupName;

impl fmt::Display for BadGroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = GroupName::MAX_CHARS;
        write!(
            f,
            "a group name has 1 to {most} characters, no control characters and no white space at either end, and is neither \
             admin nor user"
        )
    }
}

impl Error for BadGroupName {}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_may_be_called() {
        for (text, accepted) in [
            ("editors", true),
            ("Team-1.a_b:c", true),
            ("two words", true),
            ("a,b", true),
            ("caf\u{E9}", true),
            ("\u{7DE8}\u{96C6}\u{8005}", true),
            ("zero\u{200C}width", true),
            (&*"g".repeat(150), true),
            (&*"\u{1F600}".repeat(150), true),
            (&*"g".repeat(151), false),
            ("", false),
            (" ", false),
            (" editors", false),
            ("editors ", false),
            ("editors\u{A0}", false),
            ("two\nlines", false),
            ("a\tb", false),
            ("a\0b", false),
            ("a\u{85}b", false),
            ("admin", false),
            ("user", false),
            ("Admin", true),
            ("administrators", true),
        ] {
            assert_eq!(GroupName::parse(text).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn names_are_compared_as_given() {
        let name = |text| GroupName::parse(text).unwrap();
        assert_ne!(name("caf\u{E9}"), name("cafe\u{301}"));
        assert_ne!(name("editors"), name("Editors"));
        assert_eq!(name("caf\u{E9}").as_str(), "caf\u{E9}");
    }
}
