//! Secrets at rest: what is stored in their place.

mod ports;

use std::fmt;

use auth_core::user::UserId;
pub use ports::{KeyedHash, SealError, SecretBox};

/// The bytes that stand for a user in what a secret is sealed or hashed for; no other user has the same ones.
pub(crate) fn user_context(id: &UserId) -> Vec<u8> {
    match id {
        // Eight bytes, which is shorter than any of the others.
        UserId::Integer(id) => id.to_be_bytes().to_vec(),
        UserId::Uuid(_) | UserId::String(_) => [b"user ID ", id.to_string().as_bytes()].concat(),
    }
}

/// A keyed hash of a secret (HMAC-SHA-256, RFC 2104): what is stored of a code or a link's token. Without the key nobody
/// can try guesses against it. No `Debug` of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 32]);

impl Mac {
    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(***)")
    }
}

/// A secret that has to be read again, encrypted: what a mail says, and what a TOTP app knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// As it stands in the storage.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What a keyed hash is for: the same secret has another one for each purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacPurpose {
    /// The token of a link.
    Link,
    /// The text of a challenge: that we wrote it.
    Challenge,
    /// A code of six digits, for one challenge.
    Code,
    /// A recovery code of an account.
    RecoveryCode,
    /// Who or what attempts are counted for.
    LimitKey,
}

impl MacPurpose {
    /// The stable name, which goes into the hash.
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
