//! Sessions with a defect.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::{User, UserId};
use auth_core::mail::NewMail;
use auth_core::ports::{Adoption, Sessions, Swap};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};

use super::{Broken, Defect, meanwhile};

fn rotated(session: Session, next: NextGeneration) -> Session {
    let NextGeneration { generation, rotated_at, expires_at } = next;
    Session {
        generation,
        rotated_at,
        last_used_at: rotated_at,
        expires_at,
        revoked_at: None,
        revoke_reason: None,
        ..session
    }
}

#[async_trait]
impl Sessions for Broken {
    async fn start(&self, session: &Session, user: &User, last_login: Option<Timestamp>) -> Result<bool, StoreError> {
        self.remember(session);
        let Some(now) = self.user(user.id).await else { return Ok(false) };
        match self.defect {
            Defect::TrustsTheCallersCopy if !user.is_active => Ok(false),
            Defect::NotesNoLogin => self.inner.start(session, user, None).await,
            Defect::CutsUserAgents => {
                let mut session = session.clone();
                session.client.user_agent = session.client.user_agent.map(|text| text.chars().take(100).collect());
                self.inner.start(&session, user, last_login).await
            }
            Defect::StartsAtAnyEpoch => self.inner.start(session, &now, last_login).await,
            Defect::StartsForTheInactive if now.token_epoch == user.token_epoch => {
                self.inner.put_session(session.clone());
                Ok(self.inner.put_user(User { last_login: last_login.or(now.last_login), ..now }))
            }
            Defect::StartsInTwoSteps if now.is_active && now.token_epoch == user.token_epoch => {
                meanwhile().await;
                let Some(now) = self.user(user.id).await else { return Ok(false) };
                self.inner.start(session, &now, last_login).await
            }
            _ => self.inner.start(session, user, last_login).await,
        }
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        self.remember(session);
        let user = self.user(session.user_id).await;
        match self.defect {
            Defect::AdoptsForNobody if user.is_none() => {
                self.inner.put_session(session.clone());
                Ok(Adoption::Present)
            }
            Defect::AdoptsOnlyForTheActive if user.as_ref().is_some_and(|user| !user.is_active) => {
                Ok(Adoption::Refused)
            }
            Defect::AdoptsTheBlacklisted => {
                self.inner.adopt(session, &TokenId::parse("another").unwrap(), issued_at).await
            }
            Defect::AdoptsTokensOlderThanTheEpoch => self.inner.adopt(session, jti, Some(UnixTime::MAX)).await,
            Defect::AdoptsInTwoSteps => {
                let epoch = user.map(|user| user.token_epoch);
                if epoch.is_some_and(|epoch| epoch > UnixTime::default() && issued_at.is_none_or(|at| at <= epoch)) {
                    return Ok(Adoption::Refused);
                }
                meanwhile().await;
                self.inner.adopt(session, jti, Some(UnixTime::MAX)).await
            }
            Defect::ReplacesAdoptedSessions => {
                let adoption = self.inner.adopt(session, jti, issued_at).await?;
                if adoption == Adoption::Present {
                    self.inner.put_session(session.clone());
                }
                Ok(adoption)
            }
            _ => self.inner.adopt(session, &self.spelt(jti), issued_at).await,
        }
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        let Some(found) = self.inner.find_session(id).await? else { return Ok(None) };
        match self.defect {
            Defect::ForgetsGroupsInSessions => {
                let user = User { groups: BTreeSet::new(), ..found.user };
                Ok(Some(SessionOfUser { user, ..found }))
            }
            Defect::FindsStaleSessions => Ok(Some(self.found.lock().unwrap().entry(id).or_insert(found).clone())),
            Defect::FindsTornSessions => {
                meanwhile().await;
                let user = self.user(found.user.id).await;
                Ok(user.map(|user| SessionOfUser { user, ..found }))
            }
            _ => Ok(Some(found)),
        }
    }

    async fn advance(&self, id: SessionId, from: Generation, next: NextGeneration) -> Result<Swap, StoreError> {
        let Some(session) = self.session(id).await else { return Ok(Swap::LostRace) };
        let is_live = session.generation == from && session.revoked_at.is_none();
        match self.defect {
            Defect::RotatesOnlyTheUnexpired if session.expires_at <= next.rotated_at => Ok(Swap::LostRace),
            Defect::RotatesAnyGeneration => self.inner.advance(id, session.generation, next).await,
            Defect::RotatesTheRevoked if session.generation == from => {
                self.inner.put_session(rotated(session, next));
                Ok(Swap::Done)
            }
            Defect::RotatesInTwoSteps if is_live => {
                meanwhile().await;
                self.inner.put_session(rotated(session, next));
                Ok(Swap::Done)
            }
            _ => self.inner.advance(id, from, next).await,
        }
    }

    async fn revoke(&self, id: SessionId, reason: RevokeReason, now: UnixTime) -> Result<bool, StoreError> {
        match (self.defect, self.session(id).await) {
            (Defect::LosesRevocations, Some(session)) => Ok(session.revoked_at.is_none()),
            (Defect::RevokesAgain, Some(session)) => {
                let is_first = session.revoked_at.is_none();
                self.inner.put_session(Session { revoked_at: Some(now), revoke_reason: Some(reason), ..session });
                Ok(is_first)
            }
            _ => self.inner.revoke(id, reason, now).await,
        }
    }

    async fn end_reused(&self, id: SessionId, mails: &[NewMail], now: UnixTime) -> Result<bool, StoreError> {
        let is_ended = self.inner.end_reused(id, mails, now).await?;
        if self.has(Defect::SendsMailsOfReuseTwice) && !is_ended {
            self.send(mails).await;
        }
        Ok(is_ended)
    }

    async fn revoke_all(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        self.wait_or_fail().await?;
        if self.has(Defect::CountsInTwoSteps) {
            let sessions = self.sessions(Some(user)).await;
            let live = sessions.iter().filter(|session| session.revoked_at.is_none() && Some(session.id) != keep);
            meanwhile().await;
            self.inner.revoke_all(user, keep, reason, now).await?;
            return Ok(live.count());
        }
        let keep = keep.filter(|_| !self.has(Defect::EndsAllWithoutException));
        let before = self.user(user).await;
        let ended = self.inner.revoke_all(user, keep, reason, now).await?;
        if let (Defect::EndsAllButTheEpoch, Some(before)) = (self.defect, before) {
            self.inner.put_user(before);
        }
        Ok(ended)
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        if self.has(Defect::PrunesInTwoSteps) {
            let expired: Vec<_> = self.sessions(None).await.into_iter().filter(|s| s.expires_at < now).collect();
            meanwhile().await;
            for session in expired.into_iter().take(limit as usize) {
                if let Some(session) = self.session(session.id).await {
                    self.inner.put_session(Session { expires_at: UnixTime::default(), ..session });
                }
            }
        }
        self.inner.prune_sessions(now, limit).await
    }
}
