//! The name that an account logs in with.

use unicode_normalization::UnicodeNormalization;

use crate::account::AccountFault;

/// Which usernames a registration may choose. (The rules of lengths and look-alikes always hold.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsernameRules {
    /// Only letters, digits and `@ . + - _` (SEC-063). Off: any visible text, as the reference peer has it.
    pub plain_alphabet: bool,
    /// Names that differ in letter case only are the same name (SEC-060).
    pub ignore_case: bool,
}

impl Default for UsernameRules {
    /// The plain alphabet, whatever the letter case.
    fn default() -> Self {
        Self { plain_alphabet: true, ignore_case: true }
    }
}

/// A username that may be stored: 1 to 150 characters, no control or invisible ones, no blanks at its edges.
///
/// Two names are taken for the same when their [`canonical`](Self::canonical) forms are: full width, ligatures and
/// combining marks (NFKC) and invisible characters make no difference, letter case if the rules say so.
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
    text: String,
    canonical: String,
}

impl Username {
    /// Longest username, in characters.
    pub const MAX_CHARS: usize = 150;

    /// Checks and keeps a name.
    pub fn parse(text: &str, rules: UsernameRules) -> Result<Self, AccountFault> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(AccountFault::TooLong(Self::MAX_CHARS));
        }
        let allowed = |c: char| match rules.plain_alphabet {
            true => c.is_alphanumeric() || "@.+-_".contains(c),
            false => !c.is_control(),
        };
        if text != text.trim() || !text.chars().all(allowed) {
            return Err(AccountFault::BadUsername);
        }
        let canonical = Self::canonical_form(text, rules.ignore_case);
        if canonical.is_empty() {
            return Err(AccountFault::BadUsername);
        }
        Ok(Self { text: text.to_owned(), canonical })
    }

    /// One form for all spellings of a text that could be a name, letter case included.
    pub(crate) fn folded(text: &str) -> String {
        Self::canonical_form(text, true)
    }

    fn canonical_form(text: &str, ignore_case: bool) -> String {
        let visible: String = text.nfkc().filter(|c| !is_invisible(*c)).collect();
        let folded = if ignore_case { visible.to_lowercase() } else { visible };
        // Removing and folding may leave a text that is no longer normal.
        folded.nfkc().collect::<String>().trim().to_owned()
    }

    /// The name as it was chosen.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that must be unique.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Characters that draw nothing: the Unicode property Default_Ignorable_Code_Point (UAX #44), bidi controls and BOM
/// among them.
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
            let canonical = |text| Username::parse(text, rules).map(|name| name.canonical);
            assert_eq!(canonical(one), canonical(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn letter_case_counts_when_the_rules_say_so() {
        let canonical = |text| Username::parse(text, ANY).map(|name| name.canonical);
        assert_ne!(canonical("alice"), canonical("ALICE"));
    }

    #[test]
    fn what_a_username_may_be() {
        let long = "x".repeat(151);
        for (rules, text, expected) in [
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
            assert_eq!(Username::parse(text, rules).map(|_| ()), expected, "{text:?}");
        }
    }
}
