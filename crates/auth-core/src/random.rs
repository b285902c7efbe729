//! The source of random bytes.

/// A cryptographically secure source of random bytes: outside tests, the generator of the operating system.
pub trait Randomness: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
