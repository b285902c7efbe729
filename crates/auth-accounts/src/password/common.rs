//! The list of common passwords of Django 5.2, with 19,640 entries.

use std::collections::HashSet;
use std::sync::LazyLock;

static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../data/common-passwords.txt").lines().collect());

/// Whether a password is in the list, letter case ignored.
pub(super) fn is_common(password: &str) -> bool {
    COMMON.contains(password.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_ignores_letter_case() {
        assert_eq!(COMMON.len(), 19_640);
        for (password, common) in [("password123", true), ("PassWord123", true), ("Correct-horse-42", false)] {
            assert_eq!(is_common(password), common, "{password}");
        }
    }
}
