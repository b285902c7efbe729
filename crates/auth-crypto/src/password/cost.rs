//! What an Argon2 hash costs, and the memory for it.

use argon2::{Argon2, Block, Params, Version};

/// The cost of an Argon2 hash (RFC 9106 §3.1).
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

/// A cost that this service neither uses nor accepts in a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Argon2 cost has 8 KiB per lane to 256 MiB of memory, 1 to 16 passes and 1 to 16 lanes")]
pub struct CostOutOfBounds;

impl Argon2Cost {
    /// 19 MiB, 2 passes, 1 lane: the least that is recommended (SEC-056).
    pub const DEFAULT: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };
    /// The most memory, in KiB: a stored hash that asks for more is never computed.
    pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
    /// The most passes.
    pub const MAX_PASSES: u32 = 16;
    /// The most lanes.
    pub const MAX_LANES: u32 = 16;

    /// A cost of `memory_kib` KiB (8 for each lane to [`MAX_MEMORY_KIB`](Self::MAX_MEMORY_KIB)), `passes` over it (1 to
    /// [`MAX_PASSES`](Self::MAX_PASSES)) and `lanes` (1 to [`MAX_LANES`](Self::MAX_LANES)), which are computed one
    /// after the other.
    ///
    /// # Errors
    /// [`CostOutOfBounds`].
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, CostOutOfBounds> {
        let in_bounds = lanes >= 1
            && lanes <= Self::MAX_LANES
            && passes >= 1
            && passes <= Self::MAX_PASSES
            && memory_kib >= 8 * lanes
            && memory_kib <= Self::MAX_MEMORY_KIB;
        if in_bounds { Ok(Self { memory_kib, passes, lanes }) } else { Err(CostOutOfBounds) }
    }

    /// Memory, in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// Whether it is less than [`DEFAULT`](Self::DEFAULT) in memory or passes: fit for tests only.
    pub const fn is_weak(self) -> bool {
        self.memory_kib < Self::DEFAULT.memory_kib || self.passes < Self::DEFAULT.passes
    }
}

/// The memory of one thread, kept from one password to the next: fresh pages from the operating system would take as
/// long as the hash itself.
pub(super) struct Scratch {
    blocks: Vec<Block>,
    kept: usize,
}

impl Scratch {
    /// Keeps memory for hashes of this cost, and gives back after use what a hash of a higher one took.
    pub(super) const fn keeping(cost: Argon2Cost) -> Self {
        Self { blocks: Vec::new(), kept: cost.memory_kib as usize }
    }

    /// Fills `tag` (4 bytes or more) with the Argon2 hash of a password; the salt has 8 bytes or more.
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
        // What is left in memory must be no shortcut for guesses.
        blocks.fill(Block::new());
        if self.blocks.len() > self.kept {
            self.blocks = Vec::new();
        }
        result
    }

    fn blocks(&mut self, count: usize) -> Result<&mut [Block], argon2::Error> {
        if let Some(missing) = count.checked_sub(self.blocks.len()) {
            self.blocks.try_reserve_exact(missing).map_err(|_| argon2::Error::OutOfMemory)?;
            self.blocks.resize(count, Block::new());
        }
        self.blocks.get_mut(..count).ok_or(argon2::Error::OutOfMemory)
    }

    /// How much memory is kept, in KiB.
    #[cfg(test)]
    pub(super) fn kept_kib(&self) -> usize {
        self.blocks.len()
    }

    /// Whether nothing of a password can be told from it.
    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        self.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }
}
