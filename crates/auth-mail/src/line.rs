//! Sanitising of untrusted strings to one line.

/// Returns the string as one line of at most `max` characters. Each run of white space and control characters becomes
/// one space, invisible characters are removed, and a truncated line ends in `...`.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let words = visible.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some(_) => line.chars().take(max.saturating_sub(3)).chain("...".chars()).collect(),
    }
}

/// Returns whether a character has no width or changes the writing direction, so that a name may look like another. The
/// zero-width joiner and non-joiner are allowed, because some languages require them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}

/// Replaces words that an email client would turn into a link, such as `https://x`, `www.x` and `x.example`, with
/// `[...]`.
pub(crate) fn without_links(text: &str) -> String {
    let words = text.split(' ').map(|word| if looks_like_a_link(word) { "[...]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn looks_like_a_link(word: &str) -> bool {
    let has_domain = word.match_indices('.').any(|(at, _)| {
        let (before, after) = (&word[..at], &word[at + 1..]);
        before.ends_with(char::is_alphanumeric) && after.chars().take_while(|c| c.is_alphabetic()).count() >= 2
    });
    has_domain || word.contains("://") || word.to_lowercase().contains("www.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_becomes_one_line_of_bounded_length() {
        for (input, line) in [
            ("plain", "plain"),
            ("  two\r\n\r\nlines\t", "two lines"),
            ("a\u{0}b\u{7f}c\u{85}d\u{2028}e", "a b c d e"),
            ("gro\u{202E}gnul\u{200B}", "grognul"),
            ("نمی\u{200C}خواهم", "نمی\u{200C}خواهم"),
            ("0123456789", "0123456789"),
            ("0123456789a", "0123456..."),
            ("äöüäöüäöüäö", "äöüäöüä..."),
            ("", ""),
        ] {
            assert_eq!(one_line(input, 10), line, "{input:?}");
        }
    }

    #[test]
    fn links_are_replaced_and_names_are_kept() {
        for (input, expected) in [
            ("You won https://evil.example/x now", "You won [...] now"),
            ("evil.example", "[...]"),
            ("WWW.evil", "[...]"),
            ("J.R. Smith, Jr.", "J.R. Smith, Jr."),
            ("Mozilla/5.0 (X11; rv:128.0) Firefox/128.0", "Mozilla/5.0 (X11; rv:128.0) Firefox/128.0"),
            ("bot (+http://bot.example)", "bot [...]"),
        ] {
            assert_eq!(without_links(input), expected);
        }
    }
}
