//! Groups: named sets of users.

use std::error::Error;
use std::fmt;

/// The name of a group: 1 to 150 characters of any script, without control characters and without white space at either
/// end, as in Django. The names `admin` and `user` are reserved for the roles that follow from `is_staff`.
///
/// Names are compared byte by byte and are not normalised, so that a permission rule matches exactly the name it
/// contains and imported names are unchanged. `é` as one character and `e` with a combining accent are two names.
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
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 150;
    /// The names of the roles of [`User::role`](crate::user::User::role), which no group can have.
    pub const RESERVED: [&'static str; 2] = ["admin", "user"];

    /// Parses a name.
    ///
    /// # Errors
    /// [`BadGroupName`] if the name is not valid.
    pub fn parse(name: &str) -> Result<Self, BadGroupName> {
        let is_within_bounds = !name.is_empty() && name.chars().count() <= Self::MAX_CHARS;
        let is_visible = name == name.trim() && !name.chars().any(char::is_control);
        match is_within_bounds && is_visible && !Self::RESERVED.contains(&name) {
            true => Ok(Self(name.to_owned())),
            false => Err(BadGroupName),
        }
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a name that is not a valid group name.
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
    fn group_names_are_limited_in_length_and_characters() {
        for (name, accepted) in [
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
            assert_eq!(GroupName::parse(name).is_ok(), accepted, "{name:?}");
        }
    }

    #[test]
    fn names_are_compared_byte_by_byte() {
        let name = |name| GroupName::parse(name).unwrap();
        assert_ne!(name("caf\u{E9}"), name("cafe\u{301}"));
        assert_ne!(name("editors"), name("Editors"));
        assert_eq!(name("caf\u{E9}").as_str(), "caf\u{E9}");
    }
}
