//! The ports of tokens. Each method is one transaction: what it checks and what it writes cannot be separated by another.

use std::num::NonZeroU32;

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::ports::{Adoption, Blacklist, Sessions, Swap, TokenUsers};
use auth_core::revocation::{follows_factor, next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId};
use auth_core::user::{User, UserId};

use crate::OwnStore;
use crate::rows::{Fault, SessionRow};
use crate::tables::Writing;

impl Writing<'_> {
    /// Ends a session; `false` if it had ended before. The first reason stays.
    fn end(&mut self, mut row: SessionRow, reason: RevokeReason, now: UnixTime) -> Result<bool, Fault> {
        if !row.is_live() {
            return Ok(false);
        }
        row.session.revoked_at = Some(now);
        row.session.revoke_reason = Some(reason);
        self.put_session(&row)?;
        Ok(true)
    }

    fn end_one(&mut self, id: SessionId, reason: RevokeReason, now: UnixTime) -> Result<bool, Fault> {
        self.session(id)?.map_or(Ok(false), |row| self.end(row, reason, now))
    }
}

#[async_trait]
impl TokenUsers for OwnStore {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let subject = subject.clone();
        self.read(move |tables| tables.user_by(&subject)).await
    }
}

/// This store has neither an outbox nor an audit trail, so it ignores the effects of all writes.
#[async_trait]
impl Sessions for OwnStore {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        _: &Effects,
    ) -> Result<bool, StoreError> {
        let (row, id, stamp) = (SessionRow::new(session), user.id.clone(), user.security_stamp);
        self.write(move |tables| {
            let user = tables.user(&id)?.filter(|user| user.is_active && user.security_stamp == stamp);
            let Some(user) = user else { return Ok(false) };
            if tables.session(row.session.id)?.is_some() {
                return Err("a session with this ID exists".into());
            }
            tables.put_user(&User { last_login: last_login.or(user.last_login), ..user })?;
            tables.put_session(&row)?;
            Ok(true)
        })
        .await
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        let (row, jti) = (SessionRow::new(session), jti.clone());
        self.write(move |tables| {
            let Some(user) = tables.user(&row.session.user_id)? else { return Ok(Adoption::NoUser) };
            if tables.session(row.session.id)?.is_some() {
                return Ok(Adoption::Present);
            }
            let is_old = predates_epoch(issued_at, user.token_epoch);
            if is_old || follows_factor(issued_at, user.multi_factor_since) || tables.is_refused(&jti)? {
                return Ok(Adoption::Refused);
            }
            tables.put_session(&row)?;
            Ok(Adoption::Present)
        })
        .await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        self.read(move |tables| {
            let Some(SessionRow { session, .. }) = tables.session(id)? else { return Ok(None) };
            Ok(tables.user(&session.user_id)?.map(|user| SessionOfUser { session, user }))
        })
        .await
    }

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        _: &Effects,
    ) -> Result<Swap, StoreError> {
        self.write(move |tables| {
            let row = tables.session(id)?.filter(|row| row.is_live() && row.session.generation == from);
            let Some(mut row) = row else { return Ok(Swap::LostRace) };
            row.session.generation = next.generation;
            row.session.rotated_at = next.rotated_at;
            row.session.last_used_at = next.rotated_at;
            row.session.expires_at = next.expires_at;
            row.kept_until = row.kept_until.max(next.expires_at);
            tables.put_session(&row)?;
            Ok(Swap::Done)
        })
        .await
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        _: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        self.write(move |tables| tables.end_one(id, reason, now)).await
    }

    async fn revoke_all(
        &self,
        id: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        _: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        let id = id.clone();
        self.write(move |tables| {
            let Some(mut user) = tables.user(&id)? else { return Ok(None) };
            user.token_epoch = next_epoch(user.token_epoch, now);
            user.security_stamp = user.security_stamp.next();
            tables.put_user(&user)?;
            let ends =
                tables.sessions(|row| row.session.user_id == id && row.is_live() && Some(row.session.id) != keep)?;
            let ended = ends.len();
            ends.into_iter().try_for_each(|row| tables.end(row, reason, now).map(drop))?;
            Ok(Some(ended))
        })
        .await
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let user = user.clone();
        self.write(move |tables| {
            let is_live =
                |row: &SessionRow| row.session.user_id == user && row.is_live() && now < row.session.expires_at;
            let mut live = tables.sessions(is_live)?;
            live.sort_by_key(|row| (row.session.id != keep, std::cmp::Reverse(row.session.last_used_at)));
            let surplus = live.into_iter().skip(most.get() as usize).filter(|row| row.session.id != keep);
            let mut ended = Vec::new();
            for row in surplus {
                ended.push(row.session.id);
                tables.end(row, RevokeReason::SessionLimit, now)?;
            }
            Ok(ended)
        })
        .await
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.write(move |tables| {
            let mut expired = tables.sessions(|row| row.kept_until < now)?;
            expired.truncate(limit as usize);
            expired.iter().try_for_each(|row| tables.delete_session(row.session.id))?;
            Ok(expired.len())
        })
        .await
    }
}

#[async_trait]
impl Blacklist for OwnStore {
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        _reason: &str,
        _: &Effects,
    ) -> Result<bool, StoreError> {
        let jti = jti.clone();
        self.write(move |tables| {
            let is_new = !tables.is_refused(&jti)?;
            if is_new {
                tables.refused.insert(jti.as_str(), expires_at.seconds())?;
            }
            Ok(is_new)
        })
        .await
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        let jti = jti.clone();
        self.read(move |tables| tables.is_refused(&jti)).await
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.write(move |tables| {
            let expired = tables.refused.extract_if(|_, expires_at| expires_at < now.seconds())?;
            let removed = expired.take(limit as usize).collect::<Result<Vec<_>, _>>()?;
            Ok(removed.len())
        })
        .await
    }
}
