//! The application secret, as two ports.

use std::error::Error;

use crate::secret::{Mac, MacPurpose, Sealed};

/// Why something could not be sealed or opened.
pub type SealError = Box<dyn Error + Send + Sync>;

/// Keyed hashes under the application secret, which is not in the storage: a dump of the storage lets nobody try guesses
/// (SEC-140). All processes of a deployment have the same secret; former ones are still recognised, and no longer used.
pub trait KeyedHash: Send + Sync {
    /// A keyed hash (HMAC-SHA-256) of a message, for a purpose.
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac;

    /// Whether this is the hash of the message under the current secret or a former one. Takes constant time.
    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool;

    /// HMAC-SHA-1 of a counter under a user's own secret, truncated to 31 bits: the number whose last digits are the HOTP code
    /// (RFC 4226 §5.3, steps 1 and 2).
    fn hotp(&self, secret: &[u8], counter: u64) -> u32;
}

/// Authenticated encryption under the application secret: what the storage must give back, and a dump of it must not show
/// (SEC-140).
pub trait SecretBox: Send + Sync {
    /// Encrypts and authenticates bytes, which open with the same context only.
    ///
    /// # Errors
    /// If no nonce can be generated or the encryption fails.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError>;

    /// Opens what was sealed with this context.
    ///
    /// # Errors
    /// If it was sealed with another context or under an unknown secret, or has been altered.
    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError>;
}
