//! Broken ports of accounts.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use auth_accounts::account::{Email, LoginName, NewEmail, NewUser, ProfileChange, Taken};
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{
    AccountPage, Accounts, EmailUpdate, ListedUsers, NewPassword, PasswordUpdate, ProfileUpdate, VerifiedEmail,
};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Sessions, TokenUsers};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{RevokeReason, Subject};
use auth_core::user::{GroupName, User, UserId};

use super::{Broken, Defect, other_calls};
use crate::{email, login_email, person_name, username};

impl Broken {
    async fn hash(&self, id: &UserId) -> Option<PasswordHash> {
        let name = LoginName::Username(self.user(id).await?.username);
        self.inner.find_for_login(&name).await.unwrap().map(|(_, hash)| hash)
    }

    /// Stores a user without checking that the username and the email address are not taken.
    async fn insert(&self, new: &NewUser, hash: &PasswordHash) -> User {
        let number = self.inserted.fetch_add(1, Ordering::SeqCst);
        let (username, email) =
            (username(&format!("placeholder{number}")), login_email(&format!("placeholder{number}@x.example")));
        let placeholder = NewUser { username, email, ..new.clone() };
        let stored = self.inner.create(&placeholder, hash).await.unwrap().unwrap();
        let email = new.email.as_ref().map(|email| email.email().as_str().to_owned());
        let user = User { username: new.username.as_str().to_owned(), email, ..stored };
        self.inner.put_user(user.clone());
        user
    }

    /// Whether a user has this username or, otherwise, this email address.
    async fn taken(&self, new_username: &str, new_email: &str) -> Option<Taken> {
        let users = self.inner.list(AccountPage { after: None, limit: u32::MAX }).await.unwrap().users;
        let has_name = |user: &User| username(&user.username).canonical() == username(new_username).canonical();
        let has_email =
            |user: &User| user.login_email().is_some_and(|own| email(own).canonical() == email(new_email).canonical());
        match users.iter().any(has_name) {
            true => Some(Taken::Username),
            false => users.iter().any(has_email).then_some(Taken::Email),
        }
    }
}

#[async_trait]
impl Accounts for Broken {
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        match self.defect {
            Defect::NamesAreNotUnique => Ok(Ok(self.insert(user, hash).await)),
            Defect::CreatesInTwoSteps => {
                let email = user.email.as_ref().and_then(NewEmail::login_name).map_or("free@x.example", Email::as_str);
                let taken = self.taken(user.username.as_str(), email).await;
                other_calls().await;
                match taken {
                    Some(taken) => Ok(Err(taken)),
                    None => Ok(Ok(self.insert(user, hash).await)),
                }
            }
            _ => self.inner.create(user, hash).await,
        }
    }

    async fn find_user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.inner.find_user(id).await
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        self.inner.find_for_login(name).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        self.inner.find_by_email(email).await
    }

    async fn update_profile(&self, id: &UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        match (self.defect, self.user(id).await) {
            (Defect::WritesWholeProfiles, Some(user)) => {
                other_calls().await;
                let change = ProfileChange {
                    username: change.username.clone().or(Some(username(&user.username))),
                    email: change.email.clone().or(user.email.as_deref().map(email)),
                    first_name: change.first_name.clone().or(Some(person_name(&user.first_name))),
                    last_name: change.last_name.clone().or(Some(person_name(&user.last_name))),
                    ..change.clone()
                };
                self.inner.update_profile(id, &change).await
            }
            (Defect::RenamesInTwoSteps, Some(user)) if change.username.is_some() => {
                let name = change.username.as_ref().unwrap().as_str();
                if self.taken(name, "free@x.example").await.is_some() {
                    return Ok(ProfileUpdate::Taken(Taken::Username));
                }
                other_calls().await;
                let user = User { username: name.to_owned(), ..user };
                self.inner.put_user(user.clone());
                Ok(ProfileUpdate::Done(user))
            }
            _ => self.inner.update_profile(id, change).await,
        }
    }

    async fn upgrade_hash(&self, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        match (self.defect, self.hash(id).await) {
            (Defect::UpgradesInTwoSteps, Some(hash)) if hash == *old => {
                other_calls().await;
                let hash = self.hash(id).await.unwrap_or(hash);
                self.inner.upgrade_hash(id, &hash, new).await
            }
            _ => self.inner.upgrade_hash(id, old, new).await,
        }
    }

    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError> {
        let Some(old) = self.hash(&new.user).await else { return Ok(PasswordUpdate::Gone) };
        let stamp = self.user(&new.user).await.map(|user| user.security_stamp);
        let is_as_expected = new.only_at.is_none() || new.only_at == stamp;
        match self.defect {
            Defect::SetsPasswordsInTwoSteps => {
                self.inner.upgrade_hash(&new.user, &old, &new.hash).await?;
                other_calls().await;
                self.inner.revoke_all(&new.user, None, RevokeReason::PasswordChanged, &new.effects, now).await?;
                Ok(PasswordUpdate::Done)
            }
            Defect::ChecksPasswordsInTwoSteps if is_as_expected => {
                other_calls().await;
                self.inner.set_password(&NewPassword { only_at: None, ..new.clone() }, now).await
            }
            Defect::IgnoresTheCode => self.inner.set_password(&NewPassword { code: None, ..new.clone() }, now).await,
            _ => self.inner.set_password(new, now).await,
        }
    }

    async fn confirm_email(&self, verified: &VerifiedEmail, now: Timestamp) -> Result<EmailUpdate, StoreError> {
        if self.has(Defect::ConfirmsWithUsedCodes) {
            self.revive(verified.code);
        }
        self.inner.confirm_email(verified, now).await
    }

    async fn set_active(&self, id: &UserId, active: bool, effects: &Effects) -> Result<bool, StoreError> {
        self.wait_or_fail().await?;
        self.inner.set_active(id, active, effects).await
    }

    async fn set_staff(&self, id: &UserId, staff: bool, effects: &Effects) -> Result<bool, StoreError> {
        self.inner.set_staff(id, staff, effects).await
    }

    async fn promote(&self, id: &UserId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError> {
        match (self.defect, self.user(id).await) {
            (Defect::PromotesInTwoSteps, Some(user)) if !user.is_staff => {
                self.inner.revoke_all(id, None, RevokeReason::Administrator, &Effects::NONE, now).await?;
                other_calls().await;
                self.inner.set_staff(id, true, effects).await
            }
            _ => self.inner.promote(id, effects, now).await,
        }
    }

    async fn set_groups(
        &self,
        id: &UserId,
        groups: &BTreeSet<GroupName>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        self.inner.set_groups(id, groups, effects).await
    }

    async fn delete(&self, id: &UserId, effects: &Effects) -> Result<bool, StoreError> {
        let sessions = self.inner.sessions().into_iter().filter(|session| session.user_id == *id);
        let codes = self.inner.codes().into_iter().filter(|code| code.user_id == *id);
        let is_deleted = self.inner.delete(id, effects).await?;
        if self.has(Defect::LeavesCodesOfDeletedUsers) {
            codes.for_each(|code| self.inner.put_code(code));
        }
        if self.has(Defect::DeletesWithoutCascade) {
            sessions.for_each(|session| self.inner.put_session(session));
        }
        Ok(is_deleted)
    }

    async fn list(&self, page: AccountPage) -> Result<ListedUsers, StoreError> {
        self.inner.list(page).await
    }

    async fn has_superuser(&self) -> Result<bool, StoreError> {
        self.inner.has_superuser().await
    }
}

#[async_trait]
impl TokenUsers for Broken {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        match subject {
            Subject::Username(name) if self.has(Defect::FindsSubjectsInAnyCase) => {
                let users = self.inner.list(AccountPage { after: None, limit: u32::MAX }).await?.users;
                Ok(users.into_iter().find(|user| user.username.eq_ignore_ascii_case(name)))
            }
            _ => self.inner.find_by_subject(subject).await,
        }
    }
}
