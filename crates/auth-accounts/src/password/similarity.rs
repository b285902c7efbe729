//! Whether a password resembles an attribute of its account. The measure is Python's `difflib.SequenceMatcher.quick_ratio`,
//! applied to parts of the attribute as in Django's `UserAttributeSimilarityValidator` (wire contract §9).

use std::collections::HashMap;

/// The ratio from which a password is too similar.
const LIMIT: f64 = 0.7;

/// The maximum length of a value that is compared, in characters. No username or email address is longer.
const MAX_CHARS: usize = 254;

/// Whether `password` resembles `value` or one of its parts between non-word characters. Ignores letter case.
pub(super) fn is_similar(password: &str, value: &str) -> bool {
    if value.chars().nth(MAX_CHARS).is_some() {
        return false;
    }
    let (password, value) = (password.to_lowercase(), value.to_lowercase());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut parts = value.split(|c| !is_word(c)).chain([value.as_str()]);
    parts.any(|part| !is_much_shorter(part, &password) && ratio(&password, part) >= LIMIT)
}

/// Whether a part is so short that the ratio cannot reach the limit. Skipping the comparison then keeps long input cheap.
fn is_much_shorter(part: &str, password: &str) -> bool {
    let (part, password) = (part.chars().count(), password.chars().count());
    password >= 10 * part && (part as f64) < LIMIT / 2.0 * password as f64
}

/// Twice the size of the multiset intersection of the characters, divided by the sum of the lengths.
fn ratio(a: &str, b: &str) -> f64 {
    let mut available = HashMap::new();
    for c in b.chars() {
        *available.entry(c).or_insert(0_usize) += 1;
    }
    let mut matches = 0;
    for c in a.chars() {
        if let Some(left) = available.get_mut(&c).filter(|left| **left > 0) {
            *left -= 1;
            matches += 1;
        }
    }
    let total = a.chars().count() + b.chars().count();
    if total == 0 { 1.0 } else { 2.0 * matches as f64 / total as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_equals_that_of_quick_ratio() {
        for (a, b, expected) in [
            ("abcd", "bcde", 0.75),
            ("abcd", "dcba", 1.0),
            ("aab", "ab", 0.8),
            ("abc", "xyz", 0.0),
            ("abc", "", 0.0),
            ("", "", 1.0),
        ] {
            assert!((ratio(a, b) - expected).abs() < 1e-9, "{a:?} {b:?}: {}", ratio(a, b));
        }
    }

    #[test]
    fn passwords_that_resemble_a_value_or_a_part_of_it_are_similar() {
        for (password, value, expected) in [
            ("alicewonder", "alicewonder", true),
            ("AliceWonder", "alicewonder", true),
            ("alicewonder1", "alicewonder", true),
            ("wonderland", "alice.wonderland@example.com", true),
            ("example99", "alice@example.com", true),
            // 2 * 7 / 20 is 0.7, the limit itself.
            ("abcdefg123", "abcdefgxyz", true),
            // 2 * 6 / 20.
            ("abcdef1234", "abcdefwxyz", false),
            ("Correct-horse-42", "alice", false),
            ("Correct-horse-42", "", false),
            // Longer than any name.
            (&*"ab".repeat(128), &*"ab".repeat(128), false),
            (&*"ab".repeat(127), &*"ab".repeat(127), true),
            // Fifty times longer than the value: skipped.
            (&*"a".repeat(50), "a", false),
        ] {
            assert_eq!(is_similar(password, value), expected, "{password:?} {value:?}");
        }
    }
}
