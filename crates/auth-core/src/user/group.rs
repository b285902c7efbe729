//! Groups: the roles that an installation gives its accounts.

use std::error::Error;
use std::fmt;

/// The name of a group: 1 to 64 letters, digits and `. _ : -` of ASCII. Not `admin` nor `user`: those are the roles
/// that every account has by its `is_staff`.
///
/// ```
/// use auth_core::user::GroupName;
/// assert!(GroupName::parse("editors").is_ok());
/// assert!(GroupName::parse("two words").is_err());
/// assert!(GroupName::parse("admin").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 64;
    /// Names that would be mistaken for the roles of [`User::role`](crate::user::User::role).
    pub const RESERVED: [&'static str; 2] = ["admin", "user"];

    /// Checks and keeps a name.
    pub fn parse(text: &str) -> Result<Self, BadGroupName> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if text.len() > Self::MAX_CHARS {
            return Err(BadGroupName);
        }
        if text.is_empty() || !text.bytes().all(is_plain) || Self::RESERVED.contains(&text) {
            return Err(BadGroupName);
        }
        Ok(Self(text.to_owned()))
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
        write!(f, "a group name has 1 to {most} letters, digits and . _ : - of ASCII, and is neither admin nor user")
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
            (&*"g".repeat(64), true),
            (&*"g".repeat(65), false),
            ("", false),
            ("two words", false),
            ("a,b", false),
            ("caf\u{E9}", false),
            ("admin", false),
            ("user", false),
            ("administrators", true),
        ] {
            assert_eq!(GroupName::parse(text).is_ok(), accepted, "{text:?}");
        }
    }
}
