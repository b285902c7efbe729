//! The password policy, and types that keep passwords out of logs.

mod common;
mod policy;
mod similarity;

use std::fmt;

pub use policy::{Attribute, PasswordFlaw, PasswordPolicy};

/// A password as it was entered, not checked against the policy.
///
/// Secret: there is no `Display`, and `Debug` prints `RawPassword(***)`. Only [`expose`](Self::expose) returns the string. The
/// whole string counts: it is not truncated, case-folded or normalised (SEC-052).
///
/// ```
/// use auth_accounts::password::{PasswordPolicy, RawPassword};
/// let typed = RawPassword::new("Correct-horse-42");
/// assert_eq!(format!("{typed:?}"), "RawPassword(***)");
/// // Only a password that passed the policy can be hashed.
/// assert!(PasswordPolicy::default().check(typed, &[]).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawPassword(String);

impl RawPassword {
    /// The maximum length of a password that is hashed, in characters (SEC-053).
    pub const MAX_CHARS: usize = 1_024;

    /// Wraps a password as it was entered.
    pub fn new(input: impl Into<String>) -> Self {
        Self(input.into())
    }

    /// Whether the password is longer than [`MAX_CHARS`](Self::MAX_CHARS), and so wrong for every account.
    pub fn is_too_long(&self) -> bool {
        self.0.len() > Self::MAX_CHARS && self.0.chars().count() > Self::MAX_CHARS
    }

    /// The password string.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawPassword(***)")
    }
}

/// A password that passed the policy. Only such a password can be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPassword(RawPassword);

impl CheckedPassword {
    /// Wraps the current password of an account, which may be older than the policy.
    pub(crate) const fn in_use(password: RawPassword) -> Self {
        Self(password)
    }

    /// The password as it was entered.
    pub const fn raw(&self) -> &RawPassword {
        &self.0
    }
}

/// A stored password hash: a one-line string that states its algorithm and cost.
///
/// It must not be logged, since it allows offline guessing. There is no `Display`, and `Debug` prints `PasswordHash(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a stored hash.
    pub fn new(input: impl Into<String>) -> Self {
        Self(input.into())
    }

    /// The hash string.
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
        for (input, too_long) in [
            ("x".repeat(1_024), false),
            ("x".repeat(1_025), true),
            ("\u{1F600}".repeat(1_024), false),
            ("\u{1F600}".repeat(1_025), true),
        ] {
            assert_eq!(RawPassword::new(input).is_too_long(), too_long);
        }
    }
}
