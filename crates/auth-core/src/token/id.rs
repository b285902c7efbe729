//! Session IDs and token IDs.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::random::Randomness;
use crate::token::Generation;

/// The ID of a session: a random UUID (version 4, RFC 9562 §5.4), written as 32 lower-case hex characters.
///
/// It is not a secret, because it gives access to nothing without a signed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Generates a random ID.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).into_bytes())
    }

    /// The ID with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the ID.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Parses 32 lower-case hex characters; `None` for any other string.
    ///
    /// ```
    /// use auth_core::token::SessionId;
    /// let string = "e430b0ef5c2a40d3a7c2fa027bd9afc1";
    /// assert_eq!(SessionId::parse(string).unwrap().to_string(), string);
    /// assert_eq!(SessionId::parse("e430b0ef-5c2a-40d3-a7c2-fa027bd9afc1"), None);
    /// ```
    pub fn parse(string: &str) -> Option<Self> {
        if string.len() != 32 || !string.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(string, 16).ok().map(|number| Self(number.to_be_bytes()))
    }

    /// The ID of the session that an externally issued token is adopted as: its `jti` if that parses as a session ID,
    /// otherwise an ID derived from it, so that a token is always adopted as the same session.
    pub fn adopted(jti: &TokenId) -> Self {
        Self::parse(jti.as_str()).unwrap_or_else(|| Self(derived_uuid(&[b"adopted", jti.as_str().as_bytes()])))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

/// The ID of a token, its `jti` (RFC 7519 §4.1.7): 1 to 255 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Parses the token ID of a presented token; `None` if it is not valid.
    pub fn parse(string: &str) -> Option<Self> {
        let fits =
            !string.is_empty() && string.chars().count() <= Self::MAX_CHARS && !string.chars().any(char::is_control);
        fits.then(|| Self(string.to_owned()))
    }

    /// Generates a random ID: a UUID of version 4 as 32 lower-case hex characters.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).simple().to_string())
    }

    /// The ID of the refresh token of a session with this rotation generation. The first one is the session ID; later
    /// ones are derived from it, so that they need not be stored. They are predictable, but not secret.
    pub fn of_generation(session: SessionId, generation: Generation) -> Self {
        match generation {
            Generation::FIRST => Self(session.to_string()),
            later => Self(SessionId(derived_uuid(&[&session.0, &later.get().to_be_bytes()])).to_string()),
        }
    }

    /// The ID as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Generates a random UUID (version 4, RFC 9562 §5.4).
pub fn random_uuid(randomness: &dyn Randomness) -> Uuid {
    let mut bytes = [0; 16];
    randomness.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid()
}

/// Derives a UUID from the SHA-256 hash of `parts`. It is marked as version 4, as docs/wire-contract.md requires
/// (section 3).
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
    fn token_ids_of_generations_are_distinct_version_4_uuids() {
        let ids: HashSet<_> =
            (0..1_000).map(|n| TokenId::of_generation(SESSION, Generation::new(n)).as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids.iter().filter(|id| **id != SESSION.to_string()) {
            assert!(id.len() == 32 && &id[12..13] == "4" && "89ab".contains(&id[16..17]), "{id}");
        }
    }

    #[test]
    fn the_first_token_id_is_the_session_id() {
        assert_eq!(TokenId::of_generation(SESSION, Generation::FIRST).as_str(), SESSION.to_string());
    }

    #[test]
    fn an_adopted_token_id_always_gives_the_same_session_id() {
        let uuid = TokenId::parse("e430b0ef5c2a40d3a7c2fa027bd9afc1").unwrap();
        assert_eq!(SessionId::adopted(&uuid).to_string(), uuid.as_str());
        let word = TokenId::parse("my-token").unwrap();
        assert_eq!(SessionId::adopted(&word), SessionId::adopted(&word));
        assert_ne!(SessionId::adopted(&word), SessionId::adopted(&TokenId::parse("my-tokem").unwrap()));
    }

    #[test]
    fn token_ids_are_limited_in_length_and_characters() {
        for (string, accepted) in [
            ("x", true),
            (&*"x".repeat(255), true),
            (&*"x".repeat(256), false),
            ("", false),
            ("a\0b", false),
            ("a\nb", false),
        ] {
            assert_eq!(TokenId::parse(string).is_some(), accepted, "{string:?}");
        }
    }
}
