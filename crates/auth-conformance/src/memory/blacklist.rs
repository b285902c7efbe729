//! The blacklist in memory.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::Blacklist;
use auth_core::time::UnixTime;
use auth_core::token::TokenId;

use super::{MemoryStore, prune};

#[async_trait]
impl Blacklist for MemoryStore {
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        _reason: &str,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.blacklist.contains_key(jti) {
            return Ok(false);
        }
        state.blacklist.insert(jti.clone(), expires_at);
        state.commit_events(effects);
        Ok(true)
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        Ok(self.state().blacklist.contains_key(jti))
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().blacklist, limit, |expires_at| *expires_at < now))
    }
}
