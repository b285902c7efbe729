//! The names of mails.

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::token::random_uuid;
use uuid::Uuid;

/// The name of a mail: a random UUID (version 4, RFC 9562 §5.4), written as 32 lower-case hex digits. It stands in the
/// `Message-ID`, so that a mail that was sent twice can be known for one.
///
/// ```
/// use auth_accounts::mail::MessageId;
/// let id = MessageId::from_bytes([7; 16]);
/// assert_eq!(MessageId::parse(&id.to_string()), Some(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
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

    /// Reads 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}
