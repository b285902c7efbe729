//! The secret of the installation.

use std::error::Error;

use crate::secret::{Mac, MacPurpose, Sealed};

/// Why something sealed could not be opened, or nothing be sealed.
pub type SealError = Box<dyn Error + Send + Sync>;

/// Keyed hashes and encryption with a secret that does not stand in the storage, so that a dump of it opens nothing
/// (SEC-140). All processes of an installation have the same secret; former ones are accepted, and no longer used.
pub trait Vault: Send + Sync {
    /// A keyed hash (HMAC-SHA-256) of a message, for a purpose.
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac;

    /// Whether it is that of the message, under the secret of today or a former one. Its time tells nothing.
    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool;

    /// Encrypts and authenticates a text; it opens with the same context only.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError>;

    /// Opens what was sealed with this context.
    ///
    /// # Errors
    /// If it was sealed for something else, under a secret that is not known here, or altered.
    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError>;

    /// HMAC-SHA-1 of a counter under a user's own secret, truncated to 31 bits: the number of which a HOTP code is the last
    /// digits (RFC 4226 §5.3, steps 1 and 2).
    fn hotp(&self, secret: &[u8], counter: u64) -> u32;
}
