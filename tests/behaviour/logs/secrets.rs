//! Texts that must not be seen.

/// What must not be seen, each with what it is.
#[derive(Default)]
pub(super) struct Secrets(Vec<(String, String)>);

impl Secrets {
    pub(super) fn add(&mut self, what: &str, text: &str) {
        assert!(text.len() >= 8, "{what} could be anything: {text}");
        self.0.push((what.to_owned(), text.to_owned()));
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

    /// Panics if one of them is in the text. Says which one, and on which line.
    pub(super) fn assert_absent(&self, place: &str, text: &str) {
        assert!(self.0.len() > 40, "there are too few secrets for a tour");
        for (what, secret) in &self.0 {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{place} shows {what}, {secret:?}: {line}");
            }
        }
        if let Some(line) = text.lines().find(|line| line.contains("$argon2")) {
            panic!("{place} shows a password hash: {line}");
        }
    }
}
