//! The blacklist.

use async_trait::async_trait;

use crate::effects::Effects;
use crate::error::StoreError;
use crate::time::UnixTime;
use crate::token::TokenId;

/// The token IDs that are refused until the tokens expire: those of refused tokens that belong to no stored session.
#[async_trait]
pub trait Blacklist: Send + Sync {
    /// Adds a token ID until `expires_at`. Returns `false`, and changes nothing, if it is in the blacklist already. The
    /// token belongs to no known account, so only the events of the effects are committed, not the emails.
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        reason: &str,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Whether a token ID is in the blacklist.
    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError>;

    /// Prunes at most `limit` token IDs whose tokens expired before `now`. Returns how many.
    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
