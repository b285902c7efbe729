//! Random bytes from the operating system.

use auth_core::ports::Randomness;

/// The random number generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    /// # Panics
    /// If the operating system provides no random bytes.
    #[allow(clippy::panic)] // The port has no error, and a predictable session ID is worse than a failed request.
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            panic!("the operating system's random generator failed: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_byte_and_never_repeats() {
        let generate = || {
            let mut bytes = [0; 4096];
            SystemRandomness.fill(&mut bytes);
            bytes
        };
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        // 32 random bytes are all zero with a probability of 2^-256.
        assert!(one.chunks(32).all(|part| part != [0; 32]));
    }
}
