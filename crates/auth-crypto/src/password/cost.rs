//! The cost of an Argon2 hash, and the memory to compute it in.

use argon2::{Argon2, Block, Params, Version};

/// The cost parameters of an Argon2 hash (RFC 9106 §3.1).
///
/// ```
/// use auth_crypto::Argon2Cost;
/// assert_eq!(Argon2Cost::new(19_456, 2, 1), Ok(Argon2Cost::DEFAULT));
/// assert!(Argon2Cost::new(1 << 30, 2, 1).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The cost parameters are out of bounds: rejected for new hashes and in stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Argon2 cost out of bounds: memory must be 8 KiB per lane to 256 MiB, passes 1 to 16, lanes 1 to 16")]
pub struct CostOutOfBounds;

impl Argon2Cost {
    /// 19 MiB, 2 passes, 1 lane: the recommended minimum (SEC-056).
    pub const DEFAULT: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };
    /// Maximum memory, in KiB. A stored hash that requires more is never computed.
    pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
    /// Maximum number of passes.
    pub const MAX_PASSES: u32 = 16;
    /// Maximum number of lanes.
    pub const MAX_LANES: u32 = 16;

    /// Creates cost parameters: `memory_kib` KiB of memory (8 per lane to [`MAX_MEMORY_KIB`](Self::MAX_MEMORY_KIB)),
    /// `passes` over it (1 to [`MAX_PASSES`](Self::MAX_PASSES)) and `lanes` (1 to [`MAX_LANES`](Self::MAX_LANES)). One
    /// thread computes all lanes, one after the other.
    ///
    /// # Errors
    /// [`CostOutOfBounds`] if a parameter is out of these bounds.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, CostOutOfBounds> {
        let in_bounds = lanes >= 1
            && lanes <= Self::MAX_LANES
            && passes >= 1
            && passes <= Self::MAX_PASSES
            && memory_kib >= 8 * lanes
            && memory_kib <= Self::MAX_MEMORY_KIB;
        if in_bounds { Ok(Self { memory_kib, passes, lanes }) } else { Err(CostOutOfBounds) }
    }

    /// Returns the memory, in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Returns the number of passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Returns the number of lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// Returns whether memory or passes are below [`DEFAULT`](Self::DEFAULT), which is suitable for tests only.
    pub const fn is_weak(self) -> bool {
        self.memory_kib < Self::DEFAULT.memory_kib || self.passes < Self::DEFAULT.passes
    }
}

/// The working memory of one thread. Reused for the next password, because allocating fresh pages takes about as long
/// as computing the hash.
pub(super) struct Scratch {
    blocks: Vec<Block>,
    /// Number of blocks (1 KiB each) to keep between hashes.
    retained: usize,
}

impl Scratch {
    /// Retains the memory for hashes of this cost. Memory for a more expensive hash is freed after use.
    pub(super) const fn retaining(cost: Argon2Cost) -> Self {
        Self { blocks: Vec::new(), retained: cost.memory_kib as usize }
    }

    /// Writes the Argon2 hash of a password to `tag` (at least 4 bytes). The salt must have at least 8 bytes.
    pub(super) fn argon2(
        &mut self,
        (variant, version, cost): (argon2::Algorithm, Version, Argon2Cost),
        password: &[u8],
        salt: &[u8],
        tag: &mut [u8],
    ) -> Result<(), argon2::Error> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(tag.len()))?;
        let blocks = self.blocks(params.block_count())?;
        let result =
            Argon2::new(variant, version, params).hash_password_into_with_memory(password, salt, tag, &mut *blocks);
        // Wiped, because the blocks would let an attacker test guesses faster than the hash.
        blocks.fill(Block::new());
        if self.blocks.len() > self.retained {
            self.blocks = Vec::new();
        }
        result
    }

    /// Returns `count` blocks, allocating those that are missing.
    fn blocks(&mut self, count: usize) -> Result<&mut [Block], argon2::Error> {
        if let Some(missing) = count.checked_sub(self.blocks.len()) {
            self.blocks.try_reserve_exact(missing).map_err(|_| argon2::Error::OutOfMemory)?;
            self.blocks.resize(count, Block::new());
        }
        self.blocks.get_mut(..count).ok_or(argon2::Error::OutOfMemory)
    }

    /// Returns the size of the retained memory, in KiB.
    #[cfg(test)]
    pub(super) fn retained_kib(&self) -> usize {
        self.blocks.len()
    }

    /// Returns whether all retained memory is zero.
    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        self.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }
}
