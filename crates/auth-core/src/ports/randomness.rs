//! Chance.

/// A source of bytes that nobody can predict: the operating system's generator, outside tests.
pub trait Randomness: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
