//! One line of text, whatever somebody typed.

/// The text on one line of at most `max` characters: white space and control characters become single spaces, marks that
/// cannot be seen are left out, and what is cut off ends in `...`.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let seen: String = text.chars().filter(|c| !is_unseen(*c)).collect();
    let words = seen.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        None => line,
        Some(_) => line.chars().take(max.saturating_sub(3)).chain("...".chars()).collect(),
    }
}

/// Marks that turn the direction of writing, or take no room: a name written with them may look like another. The two
/// joiners stay, since some languages do not spell without them.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}

/// The same, without the words that a mail program would make a link of: `https://x`, `www.x`, `x.example`.
pub(crate) fn without_links(text: &str) -> String {
    let words = text.split(' ').map(|word| if is_like_a_link(word) { "[...]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn is_like_a_link(word: &str) -> bool {
    let dots = word.match_indices('.').any(|(at, _)| {
        let (before, after) = (&word[..at], &word[at + 1..]);
        before.ends_with(char::is_alphanumeric) && after.chars().take_while(|c| c.is_alphabetic()).count() >= 2
    });
    dots || word.contains("://") || word.to_lowercase().contains("www.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_typed_becomes_one_bounded_line() {
        for (typed, line) in [
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
            assert_eq!(one_line(typed, 10), line, "{typed:?}");
        }
    }

    #[test]
    fn a_name_is_no_link() {
        for (typed, kept) in [
            ("You won https://evil.example/x now", "You won [...] now"),
            ("evil.example", "[...]"),
            ("WWW.evil", "[...]"),
            ("J.R. Smith, Jr.", "J.R. Smith, Jr."),
            ("Mozilla/5.0 (X11; rv:128.0) Firefox/128.0", "Mozilla/5.0 (X11; rv:128.0) Firefox/128.0"),
            ("bot (+http://bot.example)", "bot [...]"),
        ] {
            assert_eq!(without_links(typed), kept);
        }
    }
}
