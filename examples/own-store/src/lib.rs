//! A store of one's own: what `auth-core` needs to issue, rotate and revoke tokens for the users of an application.
//!
//! The store keeps three tables in memory, behind one lock. Each method holds the lock from its check to its write. If two
//! requests present the same refresh token at once, the second finds that the rotation generation has advanced.
//!
//! **This store loses everything at a restart.** In a persistent one, each method is one transaction, committed before the
//! method returns, so that a revoked session stays revoked after a crash. A conditional update is then one statement, such
//! as `UPDATE sessions SET … WHERE id = $1 AND generation = $2 AND revoked_at IS NULL`; it was applied if it changed a row.
//!
//! Most writes come with `Effects`: emails and security events to commit in the same transaction. This store has neither an
//! outbox nor an audit trail, and ignores them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::ports::{Adoption, Blacklist, Sessions, Swap, TokenUsers};
use auth_core::revocation::{follows_factor, next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId};
use auth_core::user::{User, UserId};

/// Users, sessions and the blacklist.
#[derive(Default)]
pub struct OwnStore(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    users: HashMap<UserId, User>,
    sessions: HashMap<SessionId, SessionRow>,
    blacklist: HashMap<TokenId, UnixTime>, // The time is when the token expires.
}

struct SessionRow {
    session: Session,
    /// When the last of its refresh tokens expires, used ones included. Until then they must be recognised.
    keep_until: UnixTime,
}

impl SessionRow {
    fn new(session: &Session) -> Self {
        Self { session: session.clone(), keep_until: session.expires_at }
    }

    /// Revokes the session. `false` if it was revoked before: the first reason stays.
    fn revoke(&mut self, reason: RevokeReason, now: UnixTime) -> bool {
        let is_live = self.session.revoked_at.is_none();
        if is_live {
            self.session.revoked_at = Some(now);
            self.session.revoke_reason = Some(reason);
        }
        is_live
    }
}

impl OwnStore {
    /// Reads or changes the users, as the application does. A change of rights, credentials or email address must advance
    /// the `security_stamp`. Sessions are deleted with their user, as by a foreign key with `ON DELETE CASCADE`.
    pub fn with_users<T>(&self, work: impl FnOnce(&mut HashMap<UserId, User>) -> T) -> Result<T, StoreError> {
        let Tables { users, sessions, .. } = &mut *self.lock()?;
        let result = work(users);
        sessions.retain(|_, row| users.contains_key(&row.session.user_id));
        Ok(result)
    }

    /// Begins a transaction. After one that panicked, which may have changed only half of its rows, all others fail.
    fn lock(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        self.0.lock().map_err(|_| StoreError::broken("a transaction panicked"))
    }
}

#[async_trait]
impl TokenUsers for OwnStore {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let users = &self.lock()?.users;
        let found = match subject {
            Subject::Id(id) => users.get(id),
            Subject::Username(name) => users.values().find(|user| user.username == *name),
            Subject::Email(email) => users.values().find(|user| user.login_email() == Some(email)),
        };
        Ok(found.cloned())
    }
}

#[async_trait]
impl Sessions for OwnStore {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        _: &Effects,
    ) -> Result<bool, StoreError> {
        let mut tables = self.lock()?;
        // `user` was read before the authentication. With another stamp, the user has changed since.
        match tables.users.get_mut(&user.id) {
            Some(stored) if stored.is_active && stored.security_stamp == user.security_stamp => {
                stored.last_login = last_login.or(stored.last_login);
            }
            _ => return Ok(false),
        }
        tables.sessions.insert(session.id, SessionRow::new(session));
        Ok(true)
    }

    async fn adopt(&self, new: &Session, jti: &TokenId, issued_at: Option<UnixTime>) -> Result<Adoption, StoreError> {
        let mut tables = self.lock()?;
        let Some(user) = tables.users.get(&new.user_id) else { return Ok(Adoption::NoUser) };
        let is_too_old = predates_epoch(issued_at, user.token_epoch);
        if is_too_old || follows_factor(issued_at, user.multi_factor_since) || tables.blacklist.contains_key(jti) {
            return Ok(Adoption::Refused);
        }
        // A session that exists is unchanged: a second adoption must not make a used or revoked token live again.
        tables.sessions.entry(new.id).or_insert_with(|| SessionRow::new(new));
        Ok(Adoption::Present)
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        let tables = self.lock()?;
        let Some(SessionRow { session, .. }) = tables.sessions.get(&id) else { return Ok(None) };
        let user = tables.users.get(&session.user_id).cloned();
        Ok(user.map(|user| SessionOfUser { session: session.clone(), user }))
    }

    /// The conditional update behind every rotation. After `LostRace`, `auth-core` reads the session again and decides
    /// whether the request was a retry or the token was reused.
    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        _: &Effects,
    ) -> Result<Swap, StoreError> {
        match self.lock()?.sessions.get_mut(&id) {
            Some(SessionRow { session, keep_until }) if session.generation == from && session.revoked_at.is_none() => {
                session.generation = next.generation;
                session.rotated_at = next.rotated_at;
                session.last_used_at = next.rotated_at;
                session.expires_at = next.expires_at;
                *keep_until = next.expires_at.max(*keep_until);
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
        Ok(self.lock()?.sessions.get_mut(&id).is_some_and(|row| row.revoke(reason, now)))
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        _: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        let Tables { users, sessions, .. } = &mut *self.lock()?;
        let Some(stored) = users.get_mut(user) else { return Ok(None) };
        // No login that is in progress starts a session any more, and no token issued until now is adopted.
        stored.security_stamp = stored.security_stamp.next();
        stored.token_epoch = next_epoch(stored.token_epoch, now);
        let others = sessions.values_mut().filter(|row| row.session.user_id == *user && Some(row.session.id) != keep);
        Ok(Some(others.map(|row| row.revoke(reason, now)).filter(|is_revoked| *is_revoked).count()))
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let sessions = &mut self.lock()?.sessions;
        let is_live = |session: &Session| session.revoked_at.is_none() && now < session.expires_at;
        let of_user = sessions.values_mut().filter(|row| row.session.user_id == *user);
        let mut live: Vec<_> = of_user.filter(|row| is_live(&row.session)).collect();
        live.sort_by_key(|row| Reverse((row.session.id == keep, row.session.last_used_at)));
        let surplus = live.into_iter().skip(most.get() as usize).filter(|row| row.session.id != keep);
        Ok(surplus.filter_map(|row| row.revoke(RevokeReason::SessionLimit, now).then_some(row.session.id)).collect())
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(self.lock()?.sessions.extract_if(|_, row| row.keep_until < now).take(limit as usize).count())
    }
}

#[async_trait]
impl Blacklist for OwnStore {
    async fn refuse(&self, jti: &TokenId, expires_at: UnixTime, _: &str, _: &Effects) -> Result<bool, StoreError> {
        Ok(self.lock()?.blacklist.insert(jti.clone(), expires_at).is_none())
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        Ok(self.lock()?.blacklist.contains_key(jti))
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(self.lock()?.blacklist.extract_if(|_, expires_at| *expires_at < now).take(limit as usize).count())
    }
}
