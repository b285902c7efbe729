//! Usernames.

use unicode_normalization::UnicodeNormalization;

use crate::account::AccountFault;

/// Which usernames a registration may choose, in addition to the rules of [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsernameRules {
    /// Only letters, digits and `@ . + - _` (SEC-063). If `false`, any characters except control characters, as in the reference
    /// implementation.
    pub plain_alphabet: bool,
    /// Usernames that differ only in letter case are the same (SEC-060).
    pub ignore_case: bool,
}

impl Default for UsernameRules {
    /// The plain alphabet, ignoring letter case.
    fn default() -> Self {
        Self { plain_alphabet: true, ignore_case: true }
    }
}

/// A valid username: 1 to 150 characters, at least one of them visible, without control characters and without leading or
/// trailing white space.
///
/// Two usernames are the same if their [`canonical`](Self::canonical) forms are equal. Full-width forms, ligatures, combining
/// marks (NFKC) and invisible characters make no difference; letter case makes one only if the rules say so.
///
/// ```
/// use auth_accounts::account::{Username, UsernameRules};
/// let rules = UsernameRules { plain_alphabet: false, ignore_case: true };
/// let alice = Username::parse("Alice", rules).unwrap();
/// let full_width = Username::parse("ａｌｉｃｅ", rules).unwrap();
/// assert_eq!(alice.canonical(), full_width.canonical());
/// assert_eq!(alice.as_str(), "Alice");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    original: String,
    canonical: String,
}

impl Username {
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 150;

    /// Parses a username.
    ///
    /// # Errors
    /// [`AccountFault::TooLong`] or [`AccountFault::BadUsername`].
    pub fn parse(input: &str, rules: UsernameRules) -> Result<Self, AccountFault> {
        if input.chars().count() > Self::MAX_CHARS {
            return Err(AccountFault::TooLong(Self::MAX_CHARS));
        }
        let allowed = |c: char| match rules.plain_alphabet {
            true => c.is_alphanumeric() || "@.+-_".contains(c),
            false => !c.is_control(),
        };
        if input != input.trim() || !input.chars().all(allowed) {
            return Err(AccountFault::BadUsername);
        }
        let canonical = Self::canonical_form(input, rules.ignore_case);
        if canonical.is_empty() {
            return Err(AccountFault::BadUsername);
        }
        Ok(Self { original: input.to_owned(), canonical })
    }

    /// The canonical form of any string, ignoring letter case.
    pub(crate) fn folded(input: &str) -> String {
        Self::canonical_form(input, true)
    }

    fn canonical_form(input: &str, ignore_case: bool) -> String {
        let visible: String = input.nfkc().filter(|c| !is_invisible(*c)).collect();
        let folded = if ignore_case { visible.to_lowercase() } else { visible };
        // Removing characters and folding case can leave a string that is no longer in NFKC.
        folded.nfkc().collect::<String>().trim().to_owned()
    }

    /// The username as it was entered.
    pub fn as_str(&self) -> &str {
        &self.original
    }

    /// The canonical form, which is unique.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Whether a character has the Unicode property Default_Ignorable_Code_Point (UAX #44). This includes bidirectional controls
/// and the byte order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: UsernameRules = UsernameRules { plain_alphabet: true, ignore_case: true };
    const ANY: UsernameRules = UsernameRules { plain_alphabet: false, ignore_case: false };

    #[test]
    fn look_alikes_have_one_canonical_form() {
        for (rules, one, other) in [
            (PLAIN, "alice", "Alice"),
            (PLAIN, "stra\u{DF}e", "STRA\u{DF}E"),
            (ANY, "alice", "ａｌｉｃｅ"),
            (ANY, "office", "o\u{FB03}ce"),
            (ANY, "caf\u{E9}", "cafe\u{301}"),
            (ANY, "alice", "ali\u{200B}ce"),
            (ANY, "alice", "\u{FEFF}alice"),
            (ANY, "alice", "ali\u{202E}ce"),
            (ANY, "alice", "alice\u{E0041}"),
            (ANY, "cafe\u{301}", "cafe\u{200B}\u{301}"),
        ] {
            let canonical = |input| Username::parse(input, rules).map(|name| name.canonical);
            assert_eq!(canonical(one), canonical(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn letter_case_is_significant_if_the_rules_do_not_ignore_it() {
        let canonical = |input| Username::parse(input, ANY).map(|name| name.canonical);
        assert_ne!(canonical("alice"), canonical("ALICE"));
    }

    #[test]
    fn usernames_follow_the_configured_alphabet_and_length() {
        let long = "x".repeat(151);
        for (rules, input, expected) in [
            (PLAIN, "a.b+c-d_e@f", Ok(())),
            (PLAIN, "łukasz9", Ok(())),
            (PLAIN, "a b", Err(AccountFault::BadUsername)),
            (PLAIN, "", Err(AccountFault::BadUsername)),
            (ANY, "a b/<c>!", Ok(())),
            (ANY, "a\nb", Err(AccountFault::BadUsername)),
            (ANY, "a\0b", Err(AccountFault::BadUsername)),
            (ANY, " a", Err(AccountFault::BadUsername)),
            (ANY, "\u{200B}\u{FEFF}", Err(AccountFault::BadUsername)),
            (ANY, &long[..150], Ok(())),
            (ANY, &long, Err(AccountFault::TooLong(150))),
        ] {
            assert_eq!(Username::parse(input, rules).map(|_| ()), expected, "{input:?}");
        }
    }
}
