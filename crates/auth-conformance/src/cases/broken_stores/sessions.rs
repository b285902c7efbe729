//! Broken sessions.

use std::num::NonZeroU32;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Sessions, Swap};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};
use auth_core::user::{User, UserId};

use super::{Broken, Defect, other_calls};

#[async_trait]
impl Sessions for Broken {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        match (self.defect, self.user(&user.id).await) {
            (Defect::StartsInTwoSteps, Some(now)) if now.is_active && now.security_stamp == user.security_stamp => {
                other_calls().await;
                let Some(now) = self.user(&user.id).await else { return Ok(false) };
                self.inner.start(session, &now, last_login, effects).await
            }
            (Defect::StartsForInactiveUsers, Some(now)) if now.token_epoch == user.token_epoch => {
                self.inner.put_session(session.clone());
                Ok(true)
            }
            _ => self.inner.start(session, user, last_login, effects).await,
        }
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        if !self.has(Defect::AdoptsInTwoSteps) {
            let adoption = self.inner.adopt(session, jti, issued_at).await?;
            if self.has(Defect::ReplacesAdoptedSessions) && adoption == Adoption::Present {
                self.inner.put_session(session.clone());
            }
            return Ok(adoption);
        }
        let epoch = self.user(&session.user_id).await.map(|user| user.token_epoch);
        if epoch.is_some_and(|epoch| epoch > UnixTime::default() && issued_at.is_none_or(|at| at <= epoch)) {
            return Ok(Adoption::Refused);
        }
        other_calls().await;
        self.inner.adopt(session, jti, Some(UnixTime::MAX)).await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        match self.inner.find_session(id).await? {
            Some(found) if self.has(Defect::FindsTornSessions) => {
                other_calls().await;
                let user = self.user(&found.user.id).await;
                Ok(user.map(|user| SessionOfUser { user, ..found }))
            }
            found => Ok(found),
        }
    }

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError> {
        let Some(session) = self.session(id).await else { return Ok(Swap::LostRace) };
        match self.defect {
            Defect::LosesEffects => self.inner.advance(id, from, next, &Effects::NONE).await,
            Defect::RotatesAnyGeneration => self.inner.advance(id, session.generation, next, effects).await,
            Defect::RotatesInTwoSteps if session.generation == from && session.revoked_at.is_none() => {
                other_calls().await;
                let NextGeneration { generation, rotated_at, expires_at } = next;
                let last_used_at = rotated_at;
                self.inner.put_session(Session { generation, rotated_at, last_used_at, expires_at, ..session });
                Ok(Swap::Done)
            }
            _ => self.inner.advance(id, from, next, effects).await,
        }
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        match self.session(id).await {
            Some(session) if self.has(Defect::LosesRevocations) => Ok(session.revoked_at.is_none()),
            Some(session) if self.has(Defect::RevokesAgain) => {
                let is_first = session.revoked_at.is_none();
                self.inner.put_session(Session { revoked_at: Some(now), revoke_reason: Some(reason), ..session });
                Ok(is_first)
            }
            _ => self.inner.revoke(id, reason, effects, now).await,
        }
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        self.wait_or_fail().await?;
        let is_live = |s: &Session| s.user_id == *user && s.revoked_at.is_none() && Some(s.id) != keep;
        match (self.defect, self.user(user).await) {
            (Defect::CountsInTwoSteps, _) => {
                let live = self.inner.sessions().into_iter().filter(is_live).count();
                other_calls().await;
                self.inner.revoke_all(user, keep, reason, effects, now).await?;
                Ok(Some(live))
            }
            (Defect::KeepsTheEpoch, Some(before)) => {
                let ended = self.inner.revoke_all(user, keep, reason, effects, now).await?;
                self.inner.put_user(before);
                Ok(ended)
            }
            _ => self.inner.revoke_all(user, keep, reason, effects, now).await,
        }
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        if self.has(Defect::RevokesNewestSurplus) {
            let is_live = |s: &Session| s.user_id == *user && s.revoked_at.is_none() && s.id != keep;
            let mut live: Vec<_> = self.inner.sessions().into_iter().filter(is_live).collect();
            live.sort_by_key(|session| session.last_used_at);
            let surplus: Vec<_> = live.iter().skip(most.get() as usize - 1).map(|session| session.id).collect();
            for id in &surplus {
                self.inner.revoke(*id, RevokeReason::SessionLimit, &Effects::NONE, now).await?;
            }
            return Ok(surplus);
        }
        self.inner.end_surplus(user, keep, most, now).await
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        if self.has(Defect::PrunesInTwoSteps) {
            let expired = self.inner.sessions().into_iter().filter(|session| session.expires_at < now);
            let expired: Vec<_> = expired.take(limit as usize).collect();
            other_calls().await;
            for session in expired {
                if let Some(session) = self.session(session.id).await {
                    self.inner.put_session(Session { expires_at: UnixTime::default(), ..session });
                }
            }
        }
        self.inner.prune_sessions(now, self.limit(limit)).await
    }
}
