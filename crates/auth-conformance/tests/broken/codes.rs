//! One-time codes with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::code::{CodeId, OneTimeCode};
use auth_core::mail::{MailId, NewMail};
use auth_core::ports::Codes;
use auth_core::second_factor::Proof;
use auth_core::time::UnixTime;

use super::Broken;

#[async_trait]
impl Codes for Broken {
    async fn issue(&self, code: &OneTimeCode, mails: &[NewMail], answers: Option<MailId>) -> Result<bool, StoreError> {
        self.inner.issue(code, mails, answers).await
    }

    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError> {
        self.inner.find_code(id).await
    }

    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError> {
        self.inner.try_code(id, now).await
    }

    async fn redeem(&self, id: CodeId, proof: Proof, mails: &[NewMail], now: UnixTime) -> Result<bool, StoreError> {
        self.inner.redeem(id, proof, mails, now).await
    }

    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        self.inner.prune_codes(now, limit).await
    }
}
