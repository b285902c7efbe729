//! Texts that must not be seen.

use std::collections::BTreeSet;

/// What must not be seen.
#[derive(Default)]
pub(super) struct Secrets {
    /// Each with what it is.
    texts: Vec<(String, String)>,
    /// Of six digits, which may stand in any longer number.
    codes: BTreeSet<String>,
}

impl Secrets {
    pub(super) fn add(&mut self, what: &str, text: &str) {
        assert!(text.len() >= 8, "{what} could be anything: {text}");
        self.texts.push((what.to_owned(), text.to_owned()));
    }

    /// A token: whole, and in its parts. (The first part is the same in all tokens, and says nothing.)
    pub(super) fn add_token(&mut self, token: &str) {
        self.add("a token", token);
        for (what, part) in
            ["", "the payload of a token", "the signature of a token"].iter().zip(token.split('.')).skip(1)
        {
            self.add(what, part);
        }
    }

    /// A password hash (PHC string): whole, its salt, and the hash itself.
    pub(super) fn add_hash(&mut self, hash: &str) {
        self.add("a password hash", hash);
        for part in hash.rsplit('$').take(2) {
            self.add("a part of a password hash", part);
        }
    }

    /// The token of a link, or a challenge: whole, and without the name in front, which says nothing.
    pub(super) fn add_named(&mut self, what: &str, text: &str) {
        assert_eq!(text.len(), 96, "{what}: {text}");
        self.add(what, text);
        self.add(what, &text[32..]);
    }

    /// Six digits.
    pub(super) fn add_code(&mut self, code: &str) {
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "no code: {code}");
        self.codes.insert(code.to_owned());
    }

    /// Panics if one of them is in the text. Says which one, and on which line.
    pub(super) fn assert_absent(&self, place: &str, text: &str) {
        assert!(self.texts.len() > 80 && self.codes.len() > 3, "there are too few secrets for a tour");
        for (what, secret) in &self.texts {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{place} shows {what}, {secret:?}: {line}");
            }
        }
        // Digits are a code where they are no part of a longer number, name or time.
        let words = |line| str::split(line, |c: char| !c.is_ascii_alphanumeric() && !"._".contains(c));
        for line in text.lines() {
            if let Some(code) = words(line).find(|word| self.codes.contains(word.trim_matches('.'))) {
                panic!("{place} shows the code {code}: {line}");
            }
        }
        if let Some(line) = text.lines().find(|line| line.contains("$argon2")) {
            panic!("{place} shows a password hash: {line}");
        }
    }
}
