//! Broken ports of one-time codes and second factors.

use async_trait::async_trait;
use auth_accounts::code::{CodeId, OneTimeCode};
use auth_accounts::ports::{Codes, IssueIf, SecondFactors};
use auth_accounts::second_factor::{Factors, Method, NewFactor, TotpFactor, VerifiedFactor};
use auth_accounts::secret::Mac;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::user::{SecurityStamp, UserId};

use super::{Broken, Defect, other_calls};

#[async_trait]
impl Codes for Broken {
    async fn issue(&self, code: &OneTimeCode, effects: &Effects, only: &IssueIf) -> Result<bool, StoreError> {
        let before = self.inner.codes();
        let is_issued = self.inner.issue(code, effects, only).await?;
        match self.defect {
            Defect::IssuesWithoutRequest if !is_issued => {
                self.inner.issue(code, effects, &IssueIf { answers: None, ..only.clone() }).await
            }
            Defect::EndsNoOlderCodes => {
                before.into_iter().for_each(|code| self.inner.put_code(code));
                Ok(is_issued)
            }
            _ => Ok(is_issued),
        }
    }

    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError> {
        self.inner.find_code(id).await
    }

    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError> {
        match self.code(id) {
            Some(code) if self.has(Defect::TriesInTwoSteps) && code.is_open(now) => {
                other_calls().await;
                self.inner.try_code(id, now).await?;
                Ok(Some(OneTimeCode { attempts: code.attempts + 1, ..code }))
            }
            _ => self.inner.try_code(id, now).await,
        }
    }

    async fn redeem(
        &self,
        id: CodeId,
        factor: VerifiedFactor,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let is_unused = self.code(id).is_some_and(|code| code.consumed_at.is_none());
        match self.defect {
            Defect::IgnoresTheTimeStep => self.forget_time_step(id).await?,
            Defect::RedeemsTwice => self.revive(id),
            Defect::RedeemsInTwoSteps if is_unused => {
                other_calls().await;
                self.revive(id);
            }
            _ => {}
        }
        self.inner.redeem(id, factor, effects, now).await
    }

    async fn prune_challenges(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.inner.prune_challenges(now, self.limit(limit)).await
    }

    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.inner.prune_codes(now, self.limit(limit)).await
    }
}

impl Broken {
    /// Makes the last used time step of the code's owner usable again.
    async fn forget_time_step(&self, id: CodeId) -> Result<(), StoreError> {
        if let Some(code) = self.code(id) {
            let factors = self.inner.factors_of(&code.user_id).await?;
            let totp = factors.totp.map(|totp| TotpFactor { last_step: None, ..totp });
            self.inner.put_factors(&code.user_id, Factors { totp, ..factors });
        }
        Ok(())
    }
}

#[async_trait]
impl SecondFactors for Broken {
    async fn factors_of(&self, user: &UserId) -> Result<Factors, StoreError> {
        self.inner.factors_of(user).await
    }

    async fn add_factor(
        &self,
        user: &UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        effects: &Effects,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        if let (Defect::AddsFactorsByAnyCode, Some(code)) = (self.defect, self.code(enrolment)) {
            self.inner.put_code(OneTimeCode { user_id: user.clone(), consumed_at: None, ..code });
        }
        self.inner.add_factor(user, factor, enrolment, recovery_codes, effects, now).await
    }

    async fn remove_factors(
        &self,
        user: &UserId,
        methods: &[Method],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        if !self.has(Defect::RemovesInTwoSteps) || methods.contains(&Method::RecoveryCode) {
            return self.inner.remove_factors(user, methods, only_at, effects).await;
        }
        let before = self.inner.factors_of(user).await?;
        let is_left = |method: &Method| !methods.contains(method) && before.has(*method);
        let is_last = ![Method::Email, Method::Totp].iter().any(is_left);
        other_calls().await;
        let recovery_codes = self.inner.factors_of(user).await?.recovery_codes;
        let is_removed = self.inner.remove_factors(user, methods, only_at, effects).await?;
        if is_removed && !is_last {
            let left = self.inner.factors_of(user).await?;
            self.inner.put_factors(user, Factors { recovery_codes, ..left });
        }
        Ok(is_removed)
    }

    async fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[Mac],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        self.inner.replace_recovery_codes(user, codes, only_at, effects).await
    }
}
