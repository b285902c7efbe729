//! Predictable random bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use auth_core::ports::Randomness;

/// Bytes computed from a seed with SplitMix64: the same seed gives the same sequence. Anyone can predict them.
///
/// ```
/// use auth_conformance::SeededRandomness;
/// use auth_core::token::SessionId;
/// let session_id = |seed| SessionId::generate(&SeededRandomness::new(seed));
/// assert_eq!(session_id(1), session_id(1));
/// assert_ne!(session_id(1), session_id(2));
/// ```
#[derive(Debug, Default)]
pub struct SeededRandomness(AtomicU64);

impl SeededRandomness {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generates_the_published_splitmix64_sequence() {
        // The first two outputs of SplitMix64 with the seed 0, computed with S. Vigna's reference implementation.
        let mut bytes = [0; 20];
        SeededRandomness::new(0).fill(&mut bytes);
        assert_eq!(bytes[..8], 0xE220_A839_7B1D_CDAF_u64.to_le_bytes());
        assert_eq!(bytes[8..16], 0x6E78_9E6A_A1B9_65F4_u64.to_le_bytes());
        assert_ne!(bytes[16..], [0; 4]);
    }
}
