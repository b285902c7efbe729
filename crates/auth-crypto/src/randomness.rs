//! Chance, as the operating system has it.

use auth_core::ports::Randomness;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    /// # Panics
    /// If the operating system has no randomness to give.
    #[allow(clippy::panic)] // The port cannot refuse, and a predictable session id is worse than a failed request.
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
    fn every_byte_is_filled_and_no_two_draws_are_alike() {
        let draw = || {
            let mut bytes = [0; 4096];
            SystemRandomness.fill(&mut bytes);
            bytes
        };
        let (one, other) = (draw(), draw());
        assert_ne!(one, other);
        // 32 zero bytes in a row come by chance once in 2^244 draws.
        assert!(one.chunks(32).all(|part| part != [0; 32]));
    }
}
