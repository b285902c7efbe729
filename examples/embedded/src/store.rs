//! Users and sessions in memory: the storage that tokens need, `auth_core::ports::TokenStore`.
//!
//! A real service already has a table of users. Sessions and refused tokens are two tables beside it, and each method is one
//! transaction.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Blacklist, Clock, Sessions, Swap, TokenUsers};
use auth_core::revocation::next_epoch;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{
    Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId, random_uuid,
};
use auth_core::user::{User, UserId};
use auth_crypto::{SystemClock, SystemRandomness};

/// The users, their sessions, and the blacklist.
#[derive(Default)]
pub struct Store(Mutex<State>);

#[derive(Default)]
struct State {
    users: Vec<UserRow>,
    sessions: HashMap<SessionId, Session>,
    refused: HashMap<TokenId, UnixTime>,
}

/// A user with the password hash.
struct UserRow {
    user: User,
    password_hash: String,
}

impl Store {
    /// Adds a user and returns the user ID, which is a UUID.
    pub fn add_user(&self, email: &str, password_hash: String) -> UserId {
        let id = UserId::Uuid(random_uuid(&SystemRandomness));
        let user = User {
            email: Some(email.to_owned()),
            email_is_login_name: true,
            ..User::new(id.clone(), email, SystemClock.timestamp())
        };
        self.state().users.push(UserRow { user, password_hash });
        id
    }

    /// Changes a user, such as the rights. Sessions that are starting concurrently are refused.
    pub fn change_user(&self, email: &str, change: impl FnOnce(&mut User)) {
        if let Some(row) = self.state().users.iter_mut().find(|row| row.user.login_email() == Some(email)) {
            change(&mut row.user);
            row.user.security_stamp = row.user.security_stamp.next();
        }
    }

    pub(crate) fn find_by_email(&self, email: &str) -> Option<(User, String)> {
        let state = self.state();
        let row = state.users.iter().find(|row| row.user.login_email() == Some(email))?;
        Some((row.user.clone(), row.password_hash.clone()))
    }

    pub(crate) fn count_users(&self) -> usize {
        self.state().users.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn user(&mut self, id: &UserId) -> Option<&mut User> {
        self.users.iter_mut().map(|row| &mut row.user).find(|user| user.id == *id)
    }
}

/// Revokes a session; `false` if it had already been revoked.
fn end(session: &mut Session, reason: RevokeReason, now: UnixTime) -> bool {
    let is_live = session.revoked_at.is_none();
    if is_live {
        (session.revoked_at, session.revoke_reason) = (Some(now), Some(reason));
    }
    is_live
}

#[async_trait]
impl TokenUsers for Store {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let Subject::Id(id) = subject else { return Ok(None) };
        Ok(self.state().user(id).map(|user| user.clone()))
    }
}

#[async_trait]
impl Sessions for Store {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        _: &Effects,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        match state.user(&user.id) {
            Some(now) if now.is_active && now.security_stamp == user.security_stamp => {
                now.last_login = last_login.or(now.last_login);
            }
            _ => return Ok(false),
        }
        state.sessions.insert(session.id, session.clone());
        Ok(true)
    }

    /// Externally issued tokens are not adopted (`TokenPolicy::adopt_external_tokens` is off).
    async fn adopt(&self, _: &Session, _: &TokenId, _: Option<UnixTime>) -> Result<Adoption, StoreError> {
        Ok(Adoption::Refused)
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        let mut state = self.state();
        let Some(session) = state.sessions.get(&id).cloned() else { return Ok(None) };
        Ok(state.user(&session.user_id).cloned().map(|user| SessionOfUser { session, user }))
    }

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        _: &Effects,
    ) -> Result<Swap, StoreError> {
        match self.state().sessions.get_mut(&id) {
            Some(session) if session.generation == from && session.revoked_at.is_none() => {
                (session.generation, session.expires_at) = (next.generation, next.expires_at);
                (session.rotated_at, session.last_used_at) = (next.rotated_at, next.rotated_at);
                Ok(Swap::Done)
            }
            _ => Ok(Swap::LostRace),
        }
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        _: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        Ok(self.state().sessions.get_mut(&id).is_some_and(|session| end(session, reason, now)))
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        _: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        let mut state = self.state();
        let Some(row) = state.user(user) else { return Ok(None) };
        row.token_epoch = next_epoch(row.token_epoch, now);
        row.security_stamp = row.security_stamp.next();
        let others = state.sessions.values_mut().filter(|session| session.user_id == *user && Some(session.id) != keep);
        Ok(Some(others.filter_map(|session| end(session, reason, now).then_some(())).count()))
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut state = self.state();
        let is_live = |session: &&mut Session| {
            session.user_id == *user && session.revoked_at.is_none() && now < session.expires_at
        };
        let mut live: Vec<_> = state.sessions.values_mut().filter(is_live).collect();
        live.sort_by_key(|session| std::cmp::Reverse((session.id == keep, session.last_used_at, session.id)));
        let surplus = live.into_iter().skip(most.get() as usize).filter(|session| session.id != keep);
        Ok(surplus.filter_map(|session| end(session, RevokeReason::SessionLimit, now).then_some(session.id)).collect())
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().sessions, limit, |session| session.expires_at < now))
    }
}

#[async_trait]
impl Blacklist for Store {
    async fn refuse(&self, jti: &TokenId, expires_at: UnixTime, _: &str, _: &Effects) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.refused.contains_key(jti) {
            return Ok(false);
        }
        state.refused.insert(jti.clone(), expires_at);
        Ok(true)
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        Ok(self.state().refused.contains_key(jti))
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().refused, limit, |expires_at| *expires_at < now))
    }
}

/// Removes at most `limit` expired entries; returns how many it removed.
fn prune<K: Clone + Eq + std::hash::Hash, V>(
    entries: &mut HashMap<K, V>,
    limit: u32,
    is_expired: impl Fn(&V) -> bool,
) -> usize {
    let expired = entries.iter().filter(|(_, value)| is_expired(value)).map(|(key, _)| key.clone());
    let expired: Vec<_> = expired.take(limit as usize).collect();
    expired.iter().filter_map(|key| entries.remove(key)).count()
}
