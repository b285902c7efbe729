//! Keyed hashes and sealed secrets.

mod ports;

use std::fmt;

use auth_core::user::UserId;
pub use ports::{KeyedHash, SealError, SecretBox};

/// The bytes that bind a sealed or hashed secret to a user. They are different for each user ID.
pub(crate) fn user_context(id: &UserId) -> Vec<u8> {
    match id {
        // Eight bytes. The other forms are longer, so they cannot collide with this one.
        UserId::Integer(id) => id.to_be_bytes().to_vec(),
        UserId::Uuid(_) | UserId::String(_) => [b"user ID ", id.to_string().as_bytes()].concat(),
    }
}

/// A keyed hash of a secret (HMAC-SHA-256, RFC 2104), stored in place of a code or a link token. It cannot be attacked by
/// guessing without the key (SEC-140). `Debug` does not print it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 32]);

impl Mac {
    /// Creates a hash from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(***)")
    }
}

/// An encrypted secret that must be read again: the content of an email, or the secret of an authenticator.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Creates a sealed secret from its stored bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The purpose of a keyed hash. The same message has a different hash for each purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacPurpose {
    /// A link token.
    Link,
    /// The authenticity of a challenge.
    Challenge,
    /// A 6-digit code, for one challenge.
    Code,
    /// A recovery code of an account.
    RecoveryCode,
    /// A limit key.
    LimitKey,
}

impl MacPurpose {
    /// The stable name, which is an input to the hash. Changing it invalidates every stored hash of this purpose.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Challenge => "challenge",
            Self::Code => "code",
            Self::RecoveryCode => "recovery-code",
            Self::LimitKey => "bucket",
        }
    }
}
