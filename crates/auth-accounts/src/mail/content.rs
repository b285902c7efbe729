//! What a mail says, before a template makes sentences of it.

use std::collections::BTreeMap;
use std::fmt;

use auth_core::time::UnixTime;

use crate::mail::kind::names;
use crate::mail::{EmailKind, MessageId, Queued};

names! {
    /// Something that a template may speak of.
    Fact {
        /// The name that the account logs in with.
        Username = "username",
        /// The first name of its owner; may be empty.
        FirstName = "first_name",
        /// Secret: the token of a link.
        Token = "token",
        /// Secret: six digits.
        Code = "code",
        /// How many minutes token or code are good for.
        Minutes = "minutes",
        /// Another address, shortened so that it says little to a stranger.
        NewEmail = "new_email",
        /// A second factor, by its [`name`](crate::second_factor::Method::name).
        Method = "method",
        /// How many recovery codes are left.
        Left = "left",
        /// The network address of whoever caused the mail.
        Address = "address",
        /// What their program calls itself.
        UserAgent = "user_agent",
    }
}

/// What a mail says. Secret as a whole: a `Debug` that names the facts and not their values.
///
/// ```
/// use auth_accounts::mail::{Fact, EmailContent};
/// let content = EmailContent::default().with(Fact::Code, "123456");
/// assert_eq!(content.get(Fact::Code), Some("123456"));
/// assert_eq!(EmailContent::from_bytes(&content.to_bytes()), Some(content.clone()));
/// assert!(!format!("{content:?}").contains("123456"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EmailContent(BTreeMap<Fact, String>);

impl EmailContent {
    /// The same with one more fact.
    pub fn with(mut self, fact: Fact, value: impl Into<String>) -> Self {
        self.0.insert(fact, value.into());
        self
    }

    /// The same with one more fact, if it is known.
    pub fn with_known(self, fact: Fact, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(fact, value),
            None => self,
        }
    }

    /// The same without what a stranger can write into it: for an email to an address that is not verified, which a
    /// stranger may have given. The username stays if it can be neither a link nor a sentence: up to 20 ASCII letters and
    /// digits, with at most one `-` or `_` among them.
    pub fn without_free_text(mut self) -> Self {
        self.0.retain(|fact, value| match fact {
            Fact::FirstName | Fact::UserAgent | Fact::NewEmail => false,
            Fact::Username => is_one_word(value),
            Fact::Address | Fact::Token | Fact::Code | Fact::Minutes | Fact::Method | Fact::Left => true,
        });
        self
    }

    /// A fact.
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.0.get(&fact).map(String::as_str)
    }

    /// All facts, in a fixed order.
    pub fn facts(&self) -> impl Iterator<Item = (Fact, &str)> {
        self.0.iter().map(|(fact, value)| (*fact, value.as_str()))
    }

    /// For the outbox: a JSON object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let object: serde_json::Map<_, _> =
            self.facts().map(|(fact, value)| (fact.name().to_owned(), value.into())).collect();
        serde_json::Value::Object(object).to_string().into_bytes()
    }

    /// As [`to_bytes`](Self::to_bytes) wrote it. Facts that this release does not know are left out.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_slice(bytes).ok()?;
        Some(Self(object.into_iter().filter_map(|(name, value)| Some((Fact::from_name(&name)?, value))).collect()))
    }

    /// What the content of a mail is sealed for: it opens in no other row of the outbox.
    pub fn context(id: MessageId, queued: Queued) -> Vec<u8> {
        [b"mail ", queued.name().as_bytes(), b" ", &id.bytes()[..]].concat()
    }
}

impl fmt::Debug for EmailContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(|fact| fact.name())).finish()
    }
}

fn is_one_word(text: &str) -> bool {
    let joins = text.bytes().filter(|byte| b"-_".contains(byte)).count();
    let others = text.bytes().filter(|byte| !b"-_".contains(byte));
    text.len() <= 20 && joins <= 1 && others.into_iter().all(|byte| byte.is_ascii_alphanumeric())
}

/// A mail on its way to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its name.
    pub id: MessageId,
    /// What it is about.
    pub kind: EmailKind,
    /// The address it goes to.
    pub to: String,
    /// What it says.
    pub content: EmailContent,
    /// When it was caused.
    pub caused_at: UnixTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_writes_nothing_into_an_email_to_an_address_that_is_not_verified() {
        let all = Fact::ALL.iter().fold(EmailContent::default(), |all, fact| all.with(*fact, "text"));
        let kept: Vec<_> = all.without_free_text().facts().map(|(fact, _)| fact.name()).collect();
        assert_eq!(kept, ["username", "token", "code", "minutes", "method", "left", "address"]);
    }

    #[test]
    fn a_username_that_can_be_a_link_or_a_sentence_is_left_out() {
        for (username, is_kept) in [
            ("alice", true),
            ("Alice_1984", true),
            ("alice-b", true),
            ("evil.example", false),
            ("alice@evil.example", false),
            ("evil.example/x", false),
            ("you-have-won", false),
            ("You won", false),
            ("you+won", false),
            ("a23456789012345678901", false),
            ("пароль", false),
            ("evil。com", false),
        ] {
            let content = EmailContent::default().with(Fact::Username, username).without_free_text();
            assert_eq!(content.get(Fact::Username).is_some(), is_kept, "{username}");
        }
    }
}
