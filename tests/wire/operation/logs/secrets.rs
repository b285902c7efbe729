//! Secrets to search for.

use std::collections::BTreeSet;

/// Strings that must not appear.
#[derive(Default)]
pub(super) struct Secrets {
    /// Descriptions and values.
    values: Vec<(String, String)>,
    /// 6-digit codes, which may be part of longer numbers.
    codes: BTreeSet<String>,
}

impl Secrets {
    pub(super) fn add(&mut self, what: &str, text: &str) {
        assert!(text.len() >= 8, "{what} is too short to search for: {text}");
        self.values.push((what.to_owned(), text.to_owned()));
    }

    /// Adds a token and its parts, except its header, which all tokens share.
    pub(super) fn add_token(&mut self, token: &str) {
        self.add("a token", token);
        for (what, part) in
            ["", "the payload of a token", "the signature of a token"].iter().zip(token.split('.')).skip(1)
        {
            self.add(what, part);
        }
    }

    /// Adds a password hash (PHC string), its salt and the hash itself.
    pub(super) fn add_hash(&mut self, hash: &str) {
        self.add("a password hash", hash);
        for part in hash.rsplit('$').take(2) {
            self.add("a part of a password hash", part);
        }
    }

    /// Adds a link token or a challenge, also without its public ID at the front.
    pub(super) fn add_with_id(&mut self, what: &str, text: &str) {
        assert_eq!(text.len(), 96, "{what}: {text}");
        self.add(what, text);
        self.add(what, &text[32..]);
    }

    /// Adds a 6-digit code.
    pub(super) fn add_code(&mut self, code: &str) {
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "not a code: {code}");
        self.codes.insert(code.to_owned());
    }

    /// Panics if the text contains a secret, with its description and the line.
    pub(super) fn assert_absent(&self, place: &str, text: &str) {
        assert!(self.values.len() > 80 && self.codes.len() > 3, "the tour has collected too few secrets");
        for (what, secret) in &self.values {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{place} shows {what}, {secret:?}: {line}");
            }
        }
        // Six digits count as a code unless they are part of a longer number, name or time.
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
