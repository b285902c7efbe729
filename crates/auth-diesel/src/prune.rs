//! Pruning in batches: each one is short, so that others are served in between.

use std::time::{Duration, Instant};

use auth_core::StoreError;

/// How many rows a batch looks at.
const BATCH: u32 = 500;

/// How long a call goes on. What is left is found by the next one.
const ENOUGH: Duration = Duration::from_secs(1);

/// What a batch has done.
pub(crate) struct Batch {
    pub(crate) forgotten: usize,
    /// Whether there may be more to look at.
    pub(crate) more: bool,
}

/// Runs batches until so many rows are forgotten, none are left, or it has taken long enough. Answers how many were
/// forgotten.
pub(crate) async fn in_batches<F>(limit: u32, batch: impl Fn(u32) -> F) -> Result<usize, StoreError>
where
    F: Future<Output = Result<Batch, StoreError>>,
{
    let (start, mut left, mut all) = (Instant::now(), limit, 0);
    while left > 0 {
        let Batch { forgotten, more } = batch(left.min(BATCH)).await?;
        all += forgotten;
        left = left.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        if !more || start.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(all)
}
