//! Sessions in memory.

use std::cmp::Reverse;
use std::num::NonZeroU32;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::event::SecurityEvent;
use auth_core::ports::{Adoption, Change, Sessions, Swap};
use auth_core::revocation::{follows_factor, next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};
use auth_core::user::{User, UserId};

use super::effects::Pending;
use super::feed::Feeds;
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

    /// Commits the effects of a write to the account of this session.
    fn commit_of_session(&mut self, id: SessionId, effects: Pending) {
        if let Some(owner) = self.sessions.get(&id).map(|session| session.user_id.clone()) {
            self.commit(&owner, effects);
        }
    }

    /// Revokes every session of an account except `keep`; advances its security stamp and token epoch. `None` if there is no
    /// such account.
    pub(super) fn end_all(
        &mut self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> Option<usize> {
        let is_moved =
            self.change_security(user, |account| account.user.token_epoch = next_epoch(account.user.token_epoch, now));
        if !is_moved {
            return None;
        }
        let of_user = self.sessions.values_mut().filter(|s| s.user_id == *user && Some(s.id) != keep);
        Some(of_user.map(|session| end(session, reason, now, &self.feeds)).filter(|ended| *ended).count())
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
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
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
        state.commit(&user.id, effects);
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

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        if !state.is_live(id, from) {
            return Ok(Swap::LostRace);
        }
        state.advance(id, next);
        state.commit_of_session(id, effects);
        Ok(Swap::Done)
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let state = &mut *self.state();
        let Some(session) = state.sessions.get_mut(&id) else { return Ok(false) };
        let is_ended = end(session, reason, now, &state.feeds);
        if is_ended {
            state.commit_of_session(id, effects);
        }
        Ok(is_ended)
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        let ended = state.end_all(user, keep, reason, now);
        if ended.is_some() {
            state.commit(user, effects);
        }
        Ok(ended)
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let State { sessions, feeds, audit_trail, .. } = &mut *self.state();
        let is_live = |session: &&mut Session| {
            session.user_id == *user && session.revoked_at.is_none() && now < session.expires_at
        };
        let mut live: Vec<_> = sessions.values_mut().filter(is_live).collect();
        live.sort_by_key(|session| Reverse((session.id == keep, session.last_used_at, session.id)));
        let surplus = live.into_iter().skip(most.get() as usize).filter(|session| session.id != keep);
        Ok(surplus
            .map(|session| {
                end(session, RevokeReason::SessionLimit, now, feeds);
                audit_trail.push(SecurityEvent::session_limit_reached(user, session.id));
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
