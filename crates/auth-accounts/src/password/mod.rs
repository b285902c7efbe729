//! What a password must be, and the types that keep one from leaking.

mod common;
mod policy;
mod similarity;

use std::fmt;

pub use policy::{Attribute, PasswordFlaw, PasswordPolicy};

/// A password as it was typed, unchecked.
///
/// Secret: no `Display`, a `Debug` that prints `RawPassword(***)`. Only [`expose`](Self::expose) gives the text.
/// Compared as a whole: nothing is cut, folded or normalised (SEC-052).
///
/// ```
/// use auth_accounts::password::{PasswordPolicy, RawPassword};
/// let typed = RawPassword::new("Correct-horse-42");
/// assert_eq!(format!("{typed:?}"), "RawPassword(***)");
/// // Only what passed the policy can be made a new hash of.
/// assert!(PasswordPolicy::default().check(typed, &[]).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawPassword(String);

impl RawPassword {
    /// Longest password, in characters, that is hashed at all (SEC-053).
    pub const MAX_CHARS: usize = 1_024;

    /// A password as it was typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is longer than [`MAX_CHARS`](Self::MAX_CHARS), so that no account can have it.
    pub fn is_too_long(&self) -> bool {
        self.0.len() > Self::MAX_CHARS && self.0.chars().count() > Self::MAX_CHARS
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawPassword(***)")
    }
}

/// A password that passed the policy: the only thing that a new password hash is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPassword(RawPassword);

impl CheckedPassword {
    /// A password that its account has already, and that may be older than the policy.
    pub(crate) const fn in_use(password: RawPassword) -> Self {
        Self(password)
    }

    /// The password.
    pub const fn raw(&self) -> &RawPassword {
        &self.0
    }
}

/// A stored password hash: one line of text that names its algorithm and cost.
///
/// Not for logs: guesses can be tried against it. No `Display`, a `Debug` that prints `PasswordHash(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as it stands in the storage.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", RawPassword::new("hunter2")), "RawPassword(***)");
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$")), "PasswordHash(***)");
        assert_eq!(format!("{:?}", CheckedPassword(RawPassword::new("hunter2"))), "CheckedPassword(RawPassword(***))");
    }

    #[test]
    fn length_is_counted_in_characters() {
        for (text, too_long) in [
            ("x".repeat(1_024), false),
            ("x".repeat(1_025), true),
            ("\u{1F600}".repeat(1_024), false),
            ("\u{1F600}".repeat(1_025), true),
        ] {
            assert_eq!(RawPassword::new(text).is_too_long(), too_long);
        }
    }
}
