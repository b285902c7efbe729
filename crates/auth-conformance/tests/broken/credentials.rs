//! Passwords and addresses with a defect.

use std::collections::BTreeSet;

use auth_conformance::email;
use auth_core::StoreError;
use auth_core::account::{ProfileChange, User};
use auth_core::code::OneTimeCode;
use auth_core::ports::{Accounts, EmailUpdate, NewPassword, PasswordUpdate, ProfileUpdate, ProvenEmail, Sessions};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::RevokeReason;

use super::{Broken, Defect, meanwhile};

impl Broken {
    pub(super) async fn set_password_somehow(
        &self,
        new: &NewPassword,
        now: UnixTime,
    ) -> Result<PasswordUpdate, StoreError> {
        let id = new.user;
        let Some(old) = self.hash(id).await else { return Ok(PasswordUpdate::Gone) };
        let (user, codes) = (self.user(id).await.unwrap(), self.codes(id));
        let is_other = new.in_place_of.as_ref().is_some_and(|hash| *hash != old);
        let bare = NewPassword { in_place_of: None, code: None, keep: None, ..new.clone() };
        match self.defect {
            Defect::ForgetsGroupsWithThePassword => {
                self.inner.set_groups(id, &BTreeSet::new()).await?;
                self.inner.set_password(new, now).await
            }
            Defect::KeepsSessionsWithANewPassword => {
                self.inner.put_user(User { token_epoch: now, ..user });
                self.inner.upgrade_hash(id, &old, &new.hash).await?;
                Ok(PasswordUpdate::Done)
            }
            Defect::SetsPasswordsInTwoSteps => {
                self.inner.upgrade_hash(id, &old, &new.hash).await?;
                meanwhile().await;
                self.inner.revoke_all(id, None, RevokeReason::PasswordChanged, now).await?;
                Ok(PasswordUpdate::Done)
            }
            Defect::ChecksPasswordsInTwoSteps if is_other => Ok(PasswordUpdate::Overtaken),
            Defect::ChecksPasswordsInTwoSteps => {
                meanwhile().await;
                self.inner.set_password(&NewPassword { in_place_of: None, ..new.clone() }, now).await
            }
            Defect::IgnoresTheOldPassword => {
                self.inner.set_password(&NewPassword { in_place_of: None, ..new.clone() }, now).await
            }
            Defect::IgnoresTheCode => self.inner.set_password(&NewPassword { code: None, ..new.clone() }, now).await,
            Defect::IgnoresTheSessionToKeep => match self.inner.set_password(new, now).await? {
                PasswordUpdate::Overtaken => self.inner.set_password(&bare, now).await,
                done => Ok(done),
            },
            Defect::KeepsTheOldGeneration => {
                let kept = match new.keep {
                    Some(keep) => self.session(keep.id).await,
                    None => None,
                };
                let update = self.inner.set_password(new, now).await?;
                kept.into_iter().for_each(|session| self.inner.put_session(session));
                Ok(update)
            }
            Defect::KeepsCodesWithANewPassword => {
                let update = self.inner.set_password(new, now).await?;
                self.put_codes(codes.into_iter().filter(|code| Some(code.id) != new.code));
                Ok(update)
            }
            Defect::ProvesAnyAddress => {
                let proves = new.proves.as_ref().map(|_| email(&user.email));
                self.inner.set_password(&NewPassword { proves, ..new.clone() }, now).await
            }
            Defect::SendsMailsOfRefusals => {
                let update = self.inner.set_password(new, now).await?;
                if update == PasswordUpdate::Overtaken {
                    self.send(&new.mails).await;
                }
                Ok(update)
            }
            _ => self.inner.set_password(new, now).await,
        }
    }

    pub(super) async fn move_mailbox_somehow(
        &self,
        before: User,
        change: &ProfileChange,
    ) -> Result<ProfileUpdate, StoreError> {
        let codes = self.codes(before.id);
        let update = self.inner.update_profile(before.id, change).await?;
        let ProfileUpdate::Done(user) = update else { return Ok(update) };
        let email_verified_at = match self.defect {
            Defect::KeepsProofsOfOldAddresses => before.email_verified_at,
            Defect::ForgetsProofsOnRespelling if change.email.is_some() => None,
            Defect::KeepsCodesOfOldAddresses => {
                self.put_codes(codes);
                user.email_verified_at
            }
            _ => return Ok(ProfileUpdate::Done(user)),
        };
        let user = User { email_verified_at, ..user };
        self.inner.put_user(user.clone());
        Ok(ProfileUpdate::Done(user))
    }

    pub(super) async fn confirm_email_somehow(
        &self,
        proven: &ProvenEmail,
        now: Timestamp,
    ) -> Result<EmailUpdate, StoreError> {
        let codes = self.codes(proven.user);
        match (self.defect, self.user(proven.user).await) {
            (Defect::ConfirmsWithSpentCodes, _) => {
                self.revive(proven.code);
                self.inner.confirm_email(proven, now).await
            }
            (Defect::ConfirmsFormerAddresses, Some(user)) if !proven.is_change => {
                self.inner.confirm_email(&ProvenEmail { email: email(&user.email), ..proven.clone() }, now).await
            }
            (Defect::SpendsCodesOfTakenAddresses, _) => {
                let update = self.inner.confirm_email(proven, now).await?;
                let spent = |code| OneTimeCode { consumed_at: Some(now.unix()), ..code };
                self.put_codes(self.code(proven.code).filter(|_| update == EmailUpdate::Taken).map(spent));
                Ok(update)
            }
            (Defect::KeepsCodesAfterAChange, _) => {
                let update = self.inner.confirm_email(proven, now).await?;
                self.put_codes(codes.into_iter().filter(|code| code.id != proven.code));
                Ok(update)
            }
            _ => self.inner.confirm_email(proven, now).await,
        }
    }
}
