//! Forgetting what has expired.

use auth_core::error::StoreError;
use auth_core::ports::Clock;
use auth_core::time::Seconds;

use crate::code::OneTimeCode;
use crate::ports::Store;

/// How long a row is kept after its tokens have expired. Longer than any leeway, and than a clock is likely to jump
/// back: a token from elsewhere that was revoked must not find its session forgotten and be adopted again (REL-008).
const GRACE: Seconds = Seconds::new(24 * 60 * 60);

/// How long a mail that was given up is kept for an operator to look at.
const FAILED_MAIL: Seconds = Seconds::new(30 * 24 * 60 * 60);

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sessions whose last refresh token had expired.
    pub sessions: usize,
    /// Blacklist entries of tokens that had expired.
    pub blacklisted: usize,
    /// One-time codes that had expired.
    pub codes: usize,
    /// Counts of attempts whose time was over.
    pub attempts: usize,
    /// Mails that were given up long ago.
    pub mails: usize,
}

/// Forgets every session, blacklist entry, code and count that expired more than a day ago, every challenge that has
/// expired, and every mail that was given
/// up more than 30 days ago, at most `batch` rows in one transaction,
/// so that nobody waits long for a lock. A token of a forgotten session is refused as before: it has expired.
pub async fn prune(store: &dyn Store, clock: &dyn Clock, batch: u32) -> Result<Pruned, StoreError> {
    let before = clock.now().minus(GRACE);
    let mut pruned = Pruned::default();
    loop {
        let sessions = store.prune_sessions(before, batch).await?;
        let blacklisted = store.prune_blacklist(before, batch).await?;
        // A challenge that is gone is answered as one that has expired. Another clock may be behind.
        let challenges = store.prune_challenges(clock.now().minus(OneTimeCode::MAX_SKEW), batch).await?;
        let codes = challenges + store.prune_codes(before, batch).await?;
        let attempts = store.prune_attempts(before, batch).await?;
        let mails = store.prune_outbox(clock.now().minus(FAILED_MAIL), batch).await?;
        pruned.sessions += sessions;
        pruned.blacklisted += blacklisted;
        pruned.codes += codes;
        pruned.attempts += attempts;
        pruned.mails += mails;
        if sessions + blacklisted + codes + attempts + mails == 0 {
            return Ok(pruned);
        }
    }
}
