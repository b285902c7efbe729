//! Single tokens that are refused.

use async_trait::async_trait;

use crate::effects::Effects;
use crate::error::StoreError;
use crate::time::UnixTime;
use crate::token::TokenId;

/// Ids of single tokens that are refused until they would have expired anyway: those that belong to no session here.
#[async_trait]
pub trait Blacklist: Send + Sync {
    /// Refuses a token from now on, until `expires_at`. `false` if it was refused before. The token belongs to no account that
    /// is known, so there is nobody to send a message to: only the events of the effects are committed.
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        reason: &str,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Whether a token is refused.
    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError>;

    /// Forgets at most `limit` tokens that expired before `now`. Answers how many.
    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
