//! One-time codes with a defect.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::code::{CodeId, OneTimeCode};
use auth_core::mail::NewMail;
use auth_core::ports::{Codes, IssueIf, SecondFactors};
use auth_core::second_factor::{Factors, Proof, TotpFactor};
use auth_core::time::UnixTime;

use super::{Broken, Defect, meanwhile};

#[async_trait]
impl Codes for Broken {
    async fn issue(&self, code: &OneTimeCode, mails: &[NewMail], only: &IssueIf) -> Result<bool, StoreError> {
        let before = self.codes(code.user_id);
        match self.defect {
            Defect::IssuesForNobody if self.user(code.user_id).await.is_none() => {
                self.inner.put_code(code.clone());
                Ok(true)
            }
            Defect::IssuesWithoutRequest => {
                let is_issued = self.inner.issue(code, mails, only).await?;
                Ok(is_issued || self.inner.issue(code, mails, &IssueIf { answers: None, ..only.clone() }).await?)
            }
            Defect::IssuesForWhoeverItIsNow => {
                self.inner.issue(code, mails, &IssueIf { owner: None, ..only.clone() }).await
            }
            Defect::ForgetsTheMailsOfCodes => self.inner.issue(code, &[], only).await,
            Defect::EmptyPayloadsAreNone => {
                let payload = code.payload.clone().filter(|payload| !payload.is_empty());
                self.inner.issue(&OneTimeCode { payload, ..code.clone() }, mails, only).await
            }
            Defect::EndsNoOlderCodes => {
                let is_issued = self.inner.issue(code, mails, only).await?;
                self.put_codes(before);
                Ok(is_issued)
            }
            Defect::EndsChallengesToo | Defect::EndsCodesOfEveryPurpose => {
                let every = self.has(Defect::EndsCodesOfEveryPurpose) && code.purpose.ends_older();
                let ended = before.into_iter().filter(|other| every || other.purpose == code.purpose);
                self.put_codes(
                    ended
                        .map(|other| OneTimeCode { consumed_at: other.consumed_at.or(Some(code.created_at)), ..other }),
                );
                self.inner.issue(code, mails, only).await
            }
            _ => self.inner.issue(code, mails, only).await,
        }
    }

    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError> {
        self.inner.find_code(id).await
    }

    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError> {
        let Some(code) = self.code(id) else { return Ok(None) };
        match self.defect {
            Defect::TriesWithoutCounting => Ok(Some(code).filter(|code| code.is_open(now))),
            Defect::TriesInTwoSteps if code.is_open(now) => {
                meanwhile().await;
                self.inner.try_code(id, now).await?;
                Ok(Some(OneTimeCode { attempts: code.attempts + 1, ..code }))
            }
            Defect::TriesTheExpired => self.inner.try_code(id, code.created_at).await,
            _ => self.inner.try_code(id, now).await,
        }
    }

    async fn redeem(&self, id: CodeId, proof: Proof, mails: &[NewMail], now: UnixTime) -> Result<bool, StoreError> {
        let Some(code) = self.code(id) else { return Ok(false) };
        let factors = self.inner.factors_of(code.user_id).await?;
        match (self.defect, proof) {
            (Defect::RedeemsTwice, _) => {
                self.revive(id);
                self.inner.redeem(id, proof, mails, now).await
            }
            (Defect::RedeemsInTwoSteps, _) if code.consumed_at.is_none() => {
                meanwhile().await;
                self.revive(id);
                self.inner.redeem(id, proof, mails, now).await
            }
            (Defect::RedeemsOnlyTheOpen, _) if !code.is_open(now) => Ok(false),
            (Defect::IgnoresTheTimeStep, Proof::Totp(_)) => {
                let totp = factors.totp.map(|totp| TotpFactor { last_step: None, ..totp });
                self.inner.put_factors(code.user_id, Factors { totp, ..factors });
                self.inner.redeem(id, proof, mails, now).await
            }
            (Defect::RedeemsWithoutAuthenticator, Proof::Totp(_)) if factors.totp.is_none() => {
                self.inner.redeem(id, Proof::Email, mails, now).await
            }
            (Defect::KeepsUsedRecoveryCodes, Proof::RecoveryCode(_)) => {
                let is_used = self.inner.redeem(id, proof, mails, now).await?;
                self.inner.put_factors(code.user_id, factors);
                Ok(is_used)
            }
            _ => self.inner.redeem(id, proof, mails, now).await,
        }
    }

    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        self.inner.prune_codes(now, limit).await
    }
}
