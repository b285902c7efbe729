//! The ID of a user: an integer, a UUID or a string.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

/// The ID of a user, as tokens and hosts know it.
///
/// Each ID has one canonical string, its [`Display`](fmt::Display) output, which tokens carry as their subject. The
/// canonical strings of IDs differ, except that a negative integer has the same one as a [`StringId`].
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
    /// An integer. No session starts for a user with a negative ID, because a token would name a [`StringId`].
    Integer(i64),
    /// A UUID. Its canonical string is lower-case with hyphens.
    Uuid(Uuid),
    /// Any other string.
    String(StringId),
}

impl UserId {
    /// Creates an integer ID.
    pub const fn new(id: i64) -> Self {
        Self::Integer(id)
    }

    /// Parses the canonical string of an ID. A string that is not the canonical form of an integer or a UUID, such as
    /// `007` or a UUID in upper case, is a [`StringId`].
    ///
    /// # Errors
    /// [`BadUserId`] if the string is [not an ID](StringId::parse), or is an integer above [`i64::MAX`].
    pub fn parse(string: &str) -> Result<Self, BadUserId> {
        if is_canonical_integer(string) {
            return string.parse().map(Self::Integer).map_err(|_| BadUserId);
        }
        match canonical_uuid(string) {
            Some(uuid) => Ok(Self::Uuid(uuid)),
            None => StringId::parse(string).map(Self::String),
        }
    }

    /// The integer, if this is one.
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(id) = self { Some(*id) } else { None }
    }

    /// The ID as a JSON value: a number for an integer, otherwise a string.
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
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Parses an ID of 1 to [`MAX_CHARS`](Self::MAX_CHARS) characters, none of them a control character and not all of
    /// them white space.
    ///
    /// # Errors
    /// [`BadUserId`] for any other string, and for the canonical string of a non-negative integer or a UUID.
    pub fn parse(string: &str) -> Result<Self, BadUserId> {
        let is_id = is_name(string) && !is_canonical_integer(string) && canonical_uuid(string).is_none();
        if is_id { Ok(Self(string.into())) } else { Err(BadUserId) }
    }

    /// The ID as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a string that is not a user ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a user ID: it must have 1 to {} characters, and no control characters", StringId::MAX_CHARS)]
pub struct BadUserId;

/// Whether a string can be a user ID, a username or an email address in a subject claim.
pub(crate) fn is_name(string: &str) -> bool {
    !string.trim().is_empty() && string.chars().count() <= StringId::MAX_CHARS && !string.chars().any(char::is_control)
}

/// Whether a string is the canonical form of a non-negative integer of any size: decimal digits without leading zeros.
pub(crate) fn is_canonical_integer(string: &str) -> bool {
    let is_decimal = !string.is_empty() && string.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal && (string == "0" || !string.starts_with('0'))
}

fn canonical_uuid(string: &str) -> Option<Uuid> {
    // `Uuid` also parses upper case, braces and URNs.
    const LENGTH: usize = 36;
    let is_canonical = string.len() == LENGTH && !string.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_canonical { Uuid::try_parse(string).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn ids_are_parsed_from_their_canonical_strings() {
        let string_id = |string: &str| UserId::String(StringId(string.into()));
        let uuid = UserId::Uuid(Uuid::try_parse(UUID).unwrap());
        let (upper, bare, longest) = (UUID.to_uppercase(), UUID.replace('-', ""), "x".repeat(255));
        for (string, expected) in [
            ("0", UserId::Integer(0)),
            ("9223372036854775807", UserId::Integer(i64::MAX)),
            (UUID, uuid),
            (upper.as_str(), string_id(&upper)),
            (bare.as_str(), string_id(&bare)),
            ("007", string_id("007")),
            ("-1", string_id("-1")),
            ("\u{663}", string_id("\u{663}")),
            ("auth0|5f7c", string_id("auth0|5f7c")),
            (longest.as_str(), string_id(&longest)),
        ] {
            assert_eq!(UserId::parse(string), Ok(expected.clone()), "{string}");
            assert_eq!(expected.to_string(), string);
            let parsed = StringId::parse(string);
            assert_eq!(parsed.is_ok(), matches!(expected, UserId::String(_)), "{string}");
        }
    }

    #[test]
    fn strings_that_are_not_user_ids_are_refused() {
        let long = "x".repeat(256);
        for string in ["", " ", "a\u{0}", "a\n", "9223372036854775808", &long] {
            assert_eq!(UserId::parse(string), Err(BadUserId), "{string:?}");
            assert_eq!(StringId::parse(string), Err(BadUserId), "{string:?}");
        }
    }

    #[test]
    fn only_integer_ids_are_json_numbers() {
        assert_eq!(UserId::new(7).to_json(), Value::from(7));
        assert_eq!(UserId::parse(UUID).unwrap().to_json(), Value::from(UUID));
    }
}
