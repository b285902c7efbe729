//! Random bytes, which IDs are made of.

/// A source of bytes that nobody can predict: the generator of the operating system, outside tests.
pub trait Randomness: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
