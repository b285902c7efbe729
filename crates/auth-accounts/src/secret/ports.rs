//! The two ports to the application secret.

use std::error::Error;

use crate::secret::{Mac, MacPurpose, Sealed};

/// Why sealing or opening failed.
pub type SealError = Box<dyn Error + Send + Sync>;

/// Keyed hashes under the application secret.
///
/// The secret is not in the storage, so a dump of the storage cannot be attacked by guessing (SEC-140). All processes of a
/// deployment have the same secret. New hashes use the current secret; [`matches`](Self::matches) also accepts former ones.
pub trait KeyedHash: Send + Sync {
    /// The keyed hash (HMAC-SHA-256) of a message for a purpose, under the current secret.
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac;

    /// Whether `mac` is the hash of the message under the current secret or a former one. Compares in constant time.
    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool;

    /// The HMAC-SHA-1 of a counter under an authenticator secret, truncated to 31 bits (RFC 4226 §5.3, steps 1 and 2). Its last
    /// six decimal digits are the HOTP code.
    fn hotp(&self, secret: &[u8], counter: u64) -> u32;
}

/// Authenticated encryption under the application secret, for secrets that must be read again and must not appear in a dump of
/// the storage (SEC-140).
pub trait SecretBox: Send + Sync {
    /// Encrypts and authenticates bytes. They can be opened only with the same context.
    ///
    /// # Errors
    /// If no nonce can be generated or the encryption fails.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError>;

    /// Decrypts what was sealed with this context.
    ///
    /// # Errors
    /// If it was sealed with another context or under an unknown secret, or has been altered.
    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError>;
}
