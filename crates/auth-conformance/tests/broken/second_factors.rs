//! Second factors with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::UserId;
use auth_core::code::CodeId;
use auth_core::mail::NewMail;
use auth_core::ports::SecondFactors;
use auth_core::second_factor::{Factors, Method, NewFactor};
use auth_core::secret::Mac;
use auth_core::time::Timestamp;

use super::Broken;

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
        self.inner.add_factor(user, factor, enrolment, recovery_codes, mails, now).await
    }

    async fn remove_factors(&self, user: UserId, methods: &[Method], mails: &[NewMail]) -> Result<bool, StoreError> {
        self.inner.remove_factors(user, methods, mails).await
    }

    async fn replace_recovery_codes(&self, user: UserId, codes: &[Mac], mails: &[NewMail]) -> Result<bool, StoreError> {
        self.inner.replace_recovery_codes(user, codes, mails).await
    }
}
