//! Message IDs.

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::token::random_uuid;
use uuid::Uuid;

/// The message ID of an email: a random UUID (version 4, RFC 9562 §5.4), written as 32 lowercase hex digits. It is part of
/// the `Message-ID` header, so that a second delivery can be recognised.
///
/// ```
/// use auth_accounts::email::MessageId;
/// let id = MessageId::from_bytes([7; 16]);
/// assert_eq!(MessageId::parse(&id.to_string()), Some(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Generates a random ID.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).into_bytes())
    }

    /// Creates an ID from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the ID.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Parses 32 hex digits in any letter case; `None` for any other string.
    pub fn parse(input: &str) -> Option<Self> {
        let is_hex = input.len() == 32 && input.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(input, 16).ok()).flatten().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}
