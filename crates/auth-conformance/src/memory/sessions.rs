//! Sessions in memory.

use std::cmp::Reverse;
use std::num::NonZeroU32;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Change, Sessions, Swap};
use auth_core::revocation::{follows_factor, next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};
use auth_core::user::{User, UserId};

use super::feed::Feeds;
use super::outbox::emails_of;
use super::{Account, MemoryStore, State, prune};

impl State {
    pub(super) fn insert(&mut self, session: Session) {
        self.record_expiry(session.id, session.expires_at);
        self.sessions.insert(session.id, session);
    }

    fn record_expiry(&mut self, id: SessionId, expires_at: UnixTime) {
        let end = self.latest_expiry.entry(id).or_insert(expires_at);
        *end = expires_at.max(*end);
    }

    /// Whether a session is not revoked and this is its rotation generation.
    pub(super) fn is_live(&self, id: SessionId, generation: Generation) -> bool {
        let session = self.sessions.get(&id);
        session.is_some_and(|session| session.generation == generation && session.revoked_at.is_none())
    }

    pub(super) fn advance(&mut self, id: SessionId, next: NextGeneration) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.generation = next.generation;
            session.rotated_at = next.rotated_at;
            session.last_used_at = next.rotated_at;
            session.expires_at = next.expires_at;
            self.record_expiry(id, next.expires_at);
        }
    }

    /// Revokes every session of an account except `keep`; advances its security stamp and token epoch.
    pub(super) fn end_all(
        &mut self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> usize {
        let is_moved =
            self.change_security(user, |account| account.user.token_epoch = next_epoch(account.user.token_epoch, now));
        if !is_moved {
            return 0;
        }
        let of_user = self.sessions.values_mut().filter(|s| s.user_id == *user && Some(s.id) != keep);
        of_user.map(|session| end(session, reason, now, &self.feeds)).filter(|ended| *ended).count()
    }
}

/// Revokes a session; `false` if it was revoked before.
fn end(session: &mut Session, reason: RevokeReason, now: UnixTime, feeds: &Feeds) -> bool {
    if session.revoked_at.is_some() {
        return false;
    }
    session.revoked_at = Some(now);
    session.revoke_reason = Some(reason);
    feeds.report(Change::SessionEnded(session.id));
    true
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn start(&self, session: &Session, user: &User, last_login: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.sessions.contains_key(&session.id) {
            return Err(StoreError::broken("another session has this ID"));
        }
        match state.accounts.get_mut(&user.id) {
            Some(Account { user: now, .. }) if now.is_active && now.security_stamp == user.security_stamp => {
                now.last_login = last_login.or(now.last_login);
            }
            _ => return Ok(false),
        }
        state.insert(session.clone());
        Ok(true)
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        let mut state = self.state();
        let Some(account) = state.accounts.get(&session.user_id) else { return Ok(Adoption::NoUser) };
        let is_old = predates_epoch(issued_at, account.user.token_epoch);
        let is_without_factor = follows_factor(issued_at, account.user.multi_factor_since);
        if state.sessions.contains_key(&session.id) {
            return Ok(Adoption::Present);
        }
        if is_old || is_without_factor || state.blacklist.contains_key(jti) {
            return Ok(Adoption::Refused);
        }
        state.insert(session.clone());
        Ok(Adoption::Present)
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        let state = self.state();
        let Some(session) = state.sessions.get(&id) else { return Ok(None) };
        Ok(state.user(&session.user_id).map(|user| SessionOfUser { session: session.clone(), user: user.clone() }))
    }

    async fn advance(&self, id: SessionId, from: Generation, next: NextGeneration) -> Result<Swap, StoreError> {
        let mut state = self.state();
        if !state.is_live(id, from) {
            return Ok(Swap::LostRace);
        }
        state.advance(id, next);
        Ok(Swap::Done)
    }

    async fn revoke(&self, id: SessionId, reason: RevokeReason, now: UnixTime) -> Result<bool, StoreError> {
        let State { sessions, feeds, .. } = &mut *self.state();
        Ok(sessions.get_mut(&id).is_some_and(|session| end(session, reason, now, feeds)))
    }

    async fn end_reused(&self, id: SessionId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError> {
        let mails = emails_of(effects)?;
        let state = &mut *self.state();
        let Some(session) = state.sessions.get_mut(&id) else { return Ok(false) };
        let is_ended = end(session, RevokeReason::Reuse, now, &state.feeds);
        if is_ended {
            state.outbox.put(Some(&session.user_id), &mails);
        }
        Ok(is_ended)
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        Ok(self.state().end_all(user, keep, reason, now))
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let State { sessions, feeds, .. } = &mut *self.state();
        let is_live = |session: &&mut Session| {
            session.user_id == *user && session.revoked_at.is_none() && now < session.expires_at
        };
        let mut live: Vec<_> = sessions.values_mut().filter(is_live).collect();
        live.sort_by_key(|session| Reverse((session.id == keep, session.last_used_at, session.id)));
        let surplus = live.into_iter().skip(most.get() as usize).filter(|session| session.id != keep);
        Ok(surplus
            .map(|session| {
                end(session, RevokeReason::SessionLimit, now, feeds);
                session.id
            })
            .collect())
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let state = &mut *self.state();
        let pruned = prune(&mut state.sessions, limit, |session| {
            state.latest_expiry.get(&session.id).is_none_or(|end| *end < now)
        });
        state.latest_expiry.retain(|id, _| state.sessions.contains_key(id));
        Ok(pruned)
    }
}
