//! Second factors with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::{User, UserId};
use auth_core::code::{CodeId, OneTimeCode};
use auth_core::mail::NewMail;
use auth_core::ports::SecondFactors;
use auth_core::second_factor::{Factors, Method, NewFactor};
use auth_core::secret::Mac;
use auth_core::time::Timestamp;

use super::{Broken, Defect, meanwhile};

#[async_trait]
impl SecondFactors for Broken {
    async fn factors_of(&self, user: UserId) -> Result<Factors, StoreError> {
        self.inner.factors_of(user).await
    }

    async fn add_factor(
        &self,
        user: UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        mails: &[NewMail],
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let (before, code) = (self.user(user).await, self.code(enrolment));
        if let (Defect::AddsFactorsByAnyCode, Some(code)) = (self.defect, &code) {
            self.inner.put_code(OneTimeCode { user_id: user, consumed_at: None, ..code.clone() });
        }
        let added = self.inner.add_factor(user, factor, enrolment, recovery_codes, mails, now).await?;
        match (self.defect, before) {
            (Defect::AddsFactorsWithoutUsingTheCode, _) => self.put_codes(code),
            (Defect::ReplacesRecoveryCodes, _) if added == Some(false) => {
                self.inner.replace_recovery_codes(user, recovery_codes, &[]).await?;
            }
            (Defect::ProvesNoAddress, Some(before)) if added.is_some() => {
                let now = self.user(user).await.unwrap();
                self.inner.put_user(User { email_verified_at: before.email_verified_at, ..now });
            }
            _ => {}
        }
        Ok(added)
    }

    async fn remove_factors(&self, user: UserId, methods: &[Method], mails: &[NewMail]) -> Result<bool, StoreError> {
        let before = self.inner.factors_of(user).await?;
        match self.defect {
            Defect::AnswersForFactorsThatAreOff => {
                self.inner.remove_factors(user, methods, mails).await?;
                Ok(true)
            }
            Defect::RemovesEveryFactor => {
                let is_removed = self.inner.remove_factors(user, methods, mails).await?;
                let left = if is_removed { Factors::default() } else { before };
                self.inner.put_factors(user, left);
                Ok(is_removed)
            }
            Defect::LeavesRecoveryCodes => {
                let is_removed = self.inner.remove_factors(user, methods, mails).await?;
                let left = self.inner.factors_of(user).await?;
                if !methods.contains(&Method::RecoveryCode) {
                    self.inner.put_factors(user, Factors { recovery_codes: before.recovery_codes, ..left });
                }
                Ok(is_removed)
            }
            // Whether it is the last one is read before.
            Defect::RemovesInTwoSteps => {
                let is_last = !methods.contains(&Method::RecoveryCode) && {
                    let is_left = |method: &Method| !methods.contains(method) && before.has(*method);
                    ![Method::Email, Method::Totp].iter().any(is_left)
                };
                meanwhile().await;
                let now = self.inner.factors_of(user).await?;
                let is_removed = self.inner.remove_factors(user, methods, mails).await?;
                if !is_last && is_removed && !methods.contains(&Method::RecoveryCode) {
                    let left = self.inner.factors_of(user).await?;
                    self.inner.put_factors(user, Factors { recovery_codes: now.recovery_codes, ..left });
                }
                Ok(is_removed)
            }
            _ => self.inner.remove_factors(user, methods, mails).await,
        }
    }

    async fn replace_recovery_codes(&self, user: UserId, codes: &[Mac], mails: &[NewMail]) -> Result<bool, StoreError> {
        let before = self.inner.factors_of(user).await?;
        if self.has(Defect::ReplacesWithoutFactor) && !before.is_on() {
            return Ok(self.inner.put_factors(user, Factors { recovery_codes: codes.to_vec(), ..before }));
        }
        self.inner.replace_recovery_codes(user, codes, mails).await
    }
}
