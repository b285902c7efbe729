//! The names of sessions and of single tokens.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::random::Randomness;
use crate::token::Generation;

/// The name of a session: a random UUID (version 4, RFC 9562 §5.4), written as 32 lower-case hex digits.
///
/// Not secret: it opens nothing without the signature around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// A new name, drawn at random.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).into_bytes())
    }

    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads 32 lower-case hex digits.
    ///
    /// ```
    /// use auth_core::token::SessionId;
    /// let text = "e430b0ef5c2a40d3a7c2fa027bd9afc1";
    /// assert_eq!(SessionId::parse(text).unwrap().to_string(), text);
    /// assert_eq!(SessionId::parse("e430b0ef-5c2a-40d3-a7c2-fa027bd9afc1"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }

    /// The session that a token from elsewhere becomes: its own `jti` where that is a UUID, else a name derived from
    /// it, so that the same token always becomes the same session.
    pub fn adopted(jti: &TokenId) -> Self {
        Self::parse(jti.as_str()).unwrap_or_else(|| Self(derived_uuid(&[b"adopted", jti.as_str().as_bytes()])))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

/// The name of one token, its `jti` (RFC 7519 §4.1.7): 1 to 255 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Checks a name that a token brought.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// A new name, drawn at random: a UUID of version 4 as 32 lower-case hex digits.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).simple().to_string())
    }

    /// The name of a session's refresh token. That of the first one is the session's own; those of later ones are
    /// derived from it, so that they need no column. Nobody has to be kept from guessing them: they are no secrets.
    pub fn of_generation(session: SessionId, generation: Generation) -> Self {
        match generation {
            Generation::FIRST => Self(session.to_string()),
            later => Self(SessionId(derived_uuid(&[&session.0, &later.get().to_be_bytes()])).to_string()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A random UUID (version 4, RFC 9562 §5.4).
pub fn random_uuid(randomness: &dyn Randomness) -> Uuid {
    let mut bytes = [0; 16];
    randomness.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// The bytes of a UUID derived from these. It has version 4 as well, which the wire contract promises.
fn derived_uuid(parts: &[&[u8]]) -> [u8; 16] {
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_random_bytes(bytes).into_uuid().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SESSION: SessionId = SessionId([0x5A; 16]);

    #[test]
    fn names_of_generations_differ_and_look_like_random_uuids() {
        let names: HashSet<_> =
            (0..1_000).map(|n| TokenId::of_generation(SESSION, Generation::new(n)).as_str().to_owned()).collect();
        assert_eq!(names.len(), 1_000);
        for name in names.iter().filter(|name| **name != SESSION.to_string()) {
            assert!(name.len() == 32 && &name[12..13] == "4" && "89ab".contains(&name[16..17]), "{name}");
        }
    }

    #[test]
    fn the_first_name_is_the_sessions_own() {
        assert_eq!(TokenId::of_generation(SESSION, Generation::FIRST).as_str(), SESSION.to_string());
    }

    #[test]
    fn a_foreign_name_becomes_a_session() {
        let uuid = TokenId::parse("e430b0ef5c2a40d3a7c2fa027bd9afc1").unwrap();
        assert_eq!(SessionId::adopted(&uuid).to_string(), uuid.as_str());
        let word = TokenId::parse("my-token").unwrap();
        assert_eq!(SessionId::adopted(&word), SessionId::adopted(&word));
        assert_ne!(SessionId::adopted(&word), SessionId::adopted(&TokenId::parse("my-tokem").unwrap()));
    }

    #[test]
    fn what_a_name_may_be() {
        for (text, accepted) in [
            ("x", true),
            (&*"x".repeat(255), true),
            (&*"x".repeat(256), false),
            ("", false),
            ("a\0b", false),
            ("a\nb", false),
        ] {
            assert_eq!(TokenId::parse(text).is_some(), accepted, "{text:?}");
        }
    }
}
