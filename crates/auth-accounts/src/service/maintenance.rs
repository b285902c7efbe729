//! Pruning of expired rows.

use auth_core::error::StoreError;
use auth_core::ports::Clock;
use auth_core::time::Seconds;

use crate::code::OneTimeCode;
use crate::ports::Store;

/// How long a row is kept after its tokens have expired. This is longer than any leeway, and longer than a clock is likely to
/// be moved back: otherwise, an externally issued token whose session was revoked and pruned could be adopted again (REL-008).
const GRACE: Seconds = Seconds::new(24 * 60 * 60);

/// How long an email that was given up is kept for operators.
const FAILED_EMAIL_RETENTION: Seconds = Seconds::new(30 * 24 * 60 * 60);

/// The numbers of rows that were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sessions whose last refresh token has expired.
    pub sessions: usize,
    /// Blacklist entries of expired tokens.
    pub blacklisted: usize,
    /// Expired one-time codes.
    pub codes: usize,
    /// Expired counts of attempts.
    pub attempts: usize,
    /// Emails that were given up more than 30 days ago.
    pub emails: usize,
}

/// Deletes sessions, blacklist entries, codes and counts that expired more than a day ago, challenges that have expired, and
/// emails that were given up more than 30 days ago.
///
/// A transaction deletes at most `batch` rows, so that locks are held only briefly. Tokens of a pruned session are still
/// refused, because they have expired.
pub async fn prune(store: &dyn Store, clock: &dyn Clock, batch: u32) -> Result<Pruned, StoreError> {
    let expired_before = clock.now().minus(GRACE);
    let mut pruned = Pruned::default();
    loop {
        let sessions = store.prune_sessions(expired_before, batch).await?;
        let blacklisted = store.prune_blacklist(expired_before, batch).await?;
        // A pruned challenge gets the same answer as an expired one. The skew is for processes whose clock is behind.
        let challenges = store.prune_challenges(clock.now().minus(OneTimeCode::MAX_SKEW), batch).await?;
        let codes = challenges + store.prune_codes(expired_before, batch).await?;
        let attempts = store.prune_attempts(expired_before, batch).await?;
        let emails = store.prune_outbox(clock.now().minus(FAILED_EMAIL_RETENTION), batch).await?;
        pruned.sessions += sessions;
        pruned.blacklisted += blacklisted;
        pruned.codes += codes;
        pruned.attempts += attempts;
        pruned.emails += emails;
        if sessions + blacklisted + codes + attempts + emails == 0 {
            return Ok(pruned);
        }
    }
}
