//! Forgetting what has expired.

use crate::error::StoreError;
use crate::ports::{Clock, Store};
use crate::time::Seconds;

/// How long a row is kept after its tokens have expired. Longer than any leeway, and than a clock is likely to jump
/// back: a token from elsewhere that was revoked must not find its session forgotten and be adopted again (REL-008).
const GRACE: Seconds = Seconds::new(24 * 60 * 60);

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sessions whose last refresh token had expired.
    pub sessions: usize,
    /// Blacklist entries of tokens that had expired.
    pub blacklisted: usize,
}

/// Forgets every session and blacklist entry that expired more than a day ago, at most `batch` rows in one transaction,
/// so that nobody waits long for a lock. A token of a forgotten session is refused as before: it has expired.
pub async fn prune(store: &dyn Store, clock: &dyn Clock, batch: u32) -> Result<Pruned, StoreError> {
    let before = clock.now().minus(GRACE);
    let mut pruned = Pruned::default();
    loop {
        let sessions = store.prune_sessions(before, batch).await?;
        let blacklisted = store.prune_blacklist(before, batch).await?;
        pruned.sessions += sessions;
        pruned.blacklisted += blacklisted;
        if sessions + blacklisted == 0 {
            return Ok(pruned);
        }
    }
}
