//! The ID of a user: an integer, a UUID or a string.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

/// The ID of a user, as tokens and hosts know it.
///
/// Each ID has one canonical string, its [`Display`](fmt::Display), which tokens carry as their subject. No two IDs have the
/// same one, negative integers aside, whose strings are those of a [`StringId`].
///
/// ```
/// use auth_core::user::UserId;
/// let ids = ["42", "67e55044-10b1-426f-9247-bb680e5fe0c8", "auth0|5f7c8ec7c33c6c004bbafe82"];
/// for id in ids {
///     assert_eq!(UserId::parse(id).unwrap().to_string(), id);
/// }
/// assert_eq!(UserId::parse("42"), Ok(UserId::Integer(42)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserId {
    /// An integer. No session starts for a user with a negative one: in a token it would read as a string.
    Integer(i64),
    /// A UUID. Its string is in lower case, with hyphens.
    Uuid(Uuid),
    /// A string of the host's.
    String(StringId),
}

impl UserId {
    /// An integer ID.
    pub const fn new(id: i64) -> Self {
        Self::Integer(id)
    }

    /// Parses the canonical string of an ID. A string that is not the canonical form of an integer or a UUID, such as `007`
    /// or a UUID in upper case, is a [`StringId`].
    ///
    /// # Errors
    /// [`BadUserId`] if the string is [not an ID](StringId::parse), or is an integer above [`i64::MAX`].
    pub fn parse(text: &str) -> Result<Self, BadUserId> {
        if is_canonical_integer(text) {
            return text.parse().map(Self::Integer).map_err(|_| BadUserId);
        }
        match canonical_uuid(text) {
            Some(uuid) => Ok(Self::Uuid(uuid)),
            None => StringId::parse(text).map(Self::String),
        }
    }

    /// The integer, if this is one.
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(id) = self { Some(*id) } else { None }
    }

    /// The ID as it stands in JSON: an integer as a number, any other ID as a string.
    pub fn to_json(&self) -> Value {
        self.as_integer().map_or_else(|| Value::from(self.to_string()), Value::from)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(id) => id.fmt(f),
            Self::Uuid(id) => id.hyphenated().fmt(f),
            Self::String(id) => f.write_str(id.as_str()),
        }
    }
}

impl From<i64> for UserId {
    fn from(id: i64) -> Self {
        Self::Integer(id)
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        Self::Uuid(id)
    }
}

/// A user ID that is neither an integer nor a UUID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StringId(Arc<str>);

impl StringId {
    /// The longest ID, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Parses an ID of 1 to [`MAX_CHARS`](Self::MAX_CHARS) characters, none of them a control character and not all of them
    /// white space.
    ///
    /// # Errors
    /// [`BadUserId`] for any other string, and for the canonical string of an integer or a UUID, which is another ID.
    pub fn parse(text: &str) -> Result<Self, BadUserId> {
        let is_id = is_name(text) && !is_canonical_integer(text) && canonical_uuid(text).is_none();
        if is_id { Ok(Self(text.into())) } else { Err(BadUserId) }
    }

    /// The string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A string is not the ID of any user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a user ID: it must have 1 to {} characters, and no control characters", StringId::MAX_CHARS)]
pub struct BadUserId;

/// Whether a string can be an ID, a username or an email address at all.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= StringId::MAX_CHARS && !text.chars().any(char::is_control)
}

/// Whether this is how an integer of any size is written that is not negative: digits, without leading zeros.
pub(crate) fn is_canonical_integer(text: &str) -> bool {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal && (text == "0" || !text.starts_with('0'))
}

fn canonical_uuid(text: &str) -> Option<Uuid> {
    // `Uuid` also parses upper case, braces and URNs.
    const LENGTH: usize = 36;
    let is_canonical = text.len() == LENGTH && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_canonical { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn each_id_has_one_string() {
        let string = |text: &str| UserId::String(StringId(text.into()));
        let uuid = UserId::Uuid(Uuid::try_parse(UUID).unwrap());
        let (upper, bare, longest) = (UUID.to_uppercase(), UUID.replace('-', ""), "x".repeat(255));
        for (text, expected) in [
            ("0", UserId::Integer(0)),
            ("9223372036854775807", UserId::Integer(i64::MAX)),
            (UUID, uuid),
            (upper.as_str(), string(&upper)),
            (bare.as_str(), string(&bare)),
            ("007", string("007")),
            ("-1", string("-1")),
            ("\u{663}", string("\u{663}")),
            ("auth0|5f7c", string("auth0|5f7c")),
            (longest.as_str(), string(&longest)),
        ] {
            assert_eq!(UserId::parse(text), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string(), text);
            let own = StringId::parse(text).map(UserId::String);
            assert_eq!(own.is_ok(), matches!(expected, UserId::String(_)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        let long = "x".repeat(256);
        for text in ["", " ", "a\u{0}", "a\n", "9223372036854775808", &long] {
            assert_eq!(UserId::parse(text), Err(BadUserId), "{text:?}");
            assert_eq!(StringId::parse(text), Err(BadUserId), "{text:?}");
        }
    }

    #[test]
    fn only_integers_are_numbers_in_json() {
        assert_eq!(UserId::new(7).to_json(), Value::from(7));
        assert_eq!(UserId::parse(UUID).unwrap().to_json(), Value::from(UUID));
    }
}
