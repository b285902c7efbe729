//! The content of an email, before a template renders it.

use std::collections::BTreeMap;
use std::fmt;

use auth_core::time::UnixTime;

use crate::email::kind::names;
use crate::email::{EmailKind, MessageId, Queued};

names! {
    /// A value that a template may use.
    Fact {
        /// The username.
        Username = "username",
        /// The first name of the user; may be empty.
        FirstName = "first_name",
        /// The link token. Secret.
        Token = "token",
        /// The 6-digit code. Secret.
        Code = "code",
        /// How many minutes the link token or the code is valid for.
        Minutes = "minutes",
        /// The new email address, shortened so that it reveals little to anyone else who reads the email.
        NewEmail = "new_email",
        /// The [`name`](crate::second_factor::Method::name) of a second factor.
        Method = "method",
        /// How many recovery codes are left.
        Left = "left",
        /// The client IP of the request that caused the email.
        ClientIp = "address",
        /// The `User-Agent` header of that request.
        UserAgent = "user_agent",
    }
}

/// The content of an email. `Debug` prints the names of the facts, not their values, since some of them are secret.
///
/// ```
/// use auth_accounts::email::{Fact, EmailContent};
/// let content = EmailContent::default().with(Fact::Code, "123456");
/// assert_eq!(content.get(Fact::Code), Some("123456"));
/// assert_eq!(EmailContent::from_bytes(&content.to_bytes()), Some(content.clone()));
/// assert!(!format!("{content:?}").contains("123456"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EmailContent(BTreeMap<Fact, String>);

impl EmailContent {
    /// Adds a fact.
    pub fn with(mut self, fact: Fact, value: impl Into<String>) -> Self {
        self.0.insert(fact, value.into());
        self
    }

    /// Adds a fact, if it has a value.
    pub fn with_known(self, fact: Fact, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(fact, value),
            None => self,
        }
    }

    /// Removes every fact that an attacker can choose freely. Used for unverified email addresses, since an attacker can
    /// register someone else's. The username is kept if it can be neither a link nor a sentence: up to 20 ASCII letters and
    /// digits, with at most one `-` or `_`.
    pub fn without_free_text(mut self) -> Self {
        self.0.retain(|fact, value| match fact {
            Fact::FirstName | Fact::UserAgent | Fact::NewEmail => false,
            Fact::Username => is_one_word(value),
            Fact::ClientIp | Fact::Token | Fact::Code | Fact::Minutes | Fact::Method | Fact::Left => true,
        });
        self
    }

    /// The value of a fact, if it is present.
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.0.get(&fact).map(String::as_str)
    }

    /// All facts, in a fixed order.
    pub fn facts(&self) -> impl Iterator<Item = (Fact, &str)> {
        self.0.iter().map(|(fact, value)| (*fact, value.as_str()))
    }

    /// Serializes the content for the outbox, as a JSON object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let object: serde_json::Map<_, _> =
            self.facts().map(|(fact, value)| (fact.name().to_owned(), value.into())).collect();
        serde_json::Value::Object(object).to_string().into_bytes()
    }

    /// Parses the output of [`to_bytes`](Self::to_bytes); `None` if it is not valid. Facts that this release does not know are
    /// ignored.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let object: BTreeMap<String, String> = serde_json::from_slice(bytes).ok()?;
        Some(Self(object.into_iter().filter_map(|(name, value)| Some((Fact::from_name(&name)?, value))).collect()))
    }

    /// The context that the content of an email is sealed with. It cannot be opened in any other row of the outbox.
    pub fn context(id: MessageId, queued: Queued) -> Vec<u8> {
        [b"mail ", queued.name().as_bytes(), b" ", &id.bytes()[..]].concat()
    }
}

impl fmt::Debug for EmailContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(|fact| fact.name())).finish()
    }
}

/// Whether a string can be neither a link nor a sentence.
fn is_one_word(input: &str) -> bool {
    let joins = input.bytes().filter(|byte| b"-_".contains(byte)).count();
    let others = input.bytes().filter(|byte| !b"-_".contains(byte));
    input.len() <= 20 && joins <= 1 && others.into_iter().all(|byte| byte.is_ascii_alphanumeric())
}

/// An email to be rendered and handed to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsealedEmail {
    /// The message ID.
    pub id: MessageId,
    /// The kind, which selects the template.
    pub kind: EmailKind,
    /// The email address of the recipient.
    pub to: String,
    /// The values for the template.
    pub content: EmailContent,
    /// When the email was enqueued.
    pub caused_at: UnixTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_to_unverified_addresses_contain_no_free_text() {
        let all = Fact::ALL.iter().fold(EmailContent::default(), |all, fact| all.with(*fact, "text"));
        let kept: Vec<_> = all.without_free_text().facts().map(|(fact, _)| fact.name()).collect();
        assert_eq!(kept, ["username", "token", "code", "minutes", "method", "left", "address"]);
    }

    #[test]
    fn usernames_that_can_be_a_link_or_a_sentence_are_left_out() {
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
