//! Pruning in batches. Each batch is short, so that other calls run in between.

use std::time::{Duration, Instant};

use auth_core::StoreError;

/// How many rows a batch examines.
const BATCH: u32 = 500;

/// How long a call may start further batches. The next call deletes the rest.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// The outcome of a batch.
pub(crate) struct Batch {
    pub(crate) deleted: usize,
    /// Whether there may be more rows to examine.
    pub(crate) more: bool,
}

/// Runs batches until `limit` rows are deleted, none are left, or the time is up. Returns how many rows were deleted.
pub(crate) async fn in_batches<F>(limit: u32, batch: impl Fn(u32) -> F) -> Result<usize, StoreError>
where
    F: Future<Output = Result<Batch, StoreError>>,
{
    let (start, mut left, mut all) = (Instant::now(), limit, 0);
    while left > 0 {
        let Batch { deleted, more } = batch(left.min(BATCH)).await?;
        all += deleted;
        left = left.saturating_sub(u32::try_from(deleted).unwrap_or(u32::MAX));
        if !more || start.elapsed() > TIME_LIMIT {
            break;
        }
    }
    Ok(all)
}
