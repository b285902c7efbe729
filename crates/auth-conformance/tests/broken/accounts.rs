//! Accounts with a defect.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_conformance::{email, person_name, username};
use auth_core::StoreError;
use auth_core::account::{Email, GroupName, LoginName, NewUser, ProfileChange, Taken, User, UserId, Username};
use auth_core::password::PasswordHash;
use auth_core::ports::{AccountPage, Accounts, EmailUpdate, NewPassword, PasswordUpdate, ProfileUpdate, ProvenEmail};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Subject, SubjectField};

use super::{Broken, Defect, meanwhile};

impl Broken {
    async fn everybody(&self) -> Vec<User> {
        self.inner.list(AccountPage { after: None, limit: u32::MAX }).await.unwrap()
    }

    pub(super) async fn hash(&self, id: UserId) -> Option<PasswordHash> {
        let name = LoginName::Username(self.user(id).await?.username);
        self.inner.find_for_login(&name).await.unwrap().map(|(_, hash)| hash)
    }

    /// Stores an account without asking whether its name and address are free.
    async fn insert(&self, new: &NewUser, hash: &PasswordHash) -> User {
        let number = self.everybody().await.len();
        let mut unique = 0..;
        let mut user = loop {
            let (name, address) =
                (format!("unique {number}"), format!("{number}.{}@unique.example", unique.next().unwrap()));
            let name = username(&format!("{name} {address}"));
            let placeholder = NewUser { username: name, email: email(&address), ..new.clone() };
            if let Ok(user) = self.inner.create(&placeholder, hash).await.unwrap() {
                break user;
            }
        };
        user.username = new.username.as_str().to_owned();
        user.email = new.email.as_str().to_owned();
        self.inner.put_user(user.clone());
        user
    }

    async fn remember_names(&self) {
        for user in self.everybody().await {
            let names = SubjectField::ALL.map(|field| (user.subject(field), user.id));
            self.names.lock().unwrap().extend(names);
        }
    }

    /// Reads whether a name or address is taken.
    async fn taken(&self, name: Option<&Username>, address: Option<&Email>) -> Option<Taken> {
        let everybody = self.everybody().await;
        let has_name = |user: &User| name.is_some_and(|n| username(&user.username).canonical() == n.canonical());
        let has_address = |user: &User| address.is_some_and(|a| email(&user.email).canonical() == a.canonical());
        if everybody.iter().any(has_name) {
            return Some(Taken::Username);
        }
        everybody.iter().any(has_address).then_some(Taken::Email)
    }
}

#[async_trait]
impl Accounts for Broken {
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        match self.defect {
            Defect::NamesAreNotUnique => Ok(Ok(self.insert(user, hash).await)),
            Defect::CreatesInTwoSteps => {
                let taken = self.taken(Some(&user.username), Some(&user.email)).await;
                meanwhile().await;
                match taken {
                    Some(taken) => Ok(Err(taken)),
                    None => Ok(Ok(self.insert(user, hash).await)),
                }
            }
            Defect::CutsMicroseconds => {
                let date_joined = Timestamp::from(user.date_joined.unix());
                self.inner.create(&NewUser { date_joined, ..user.clone() }, hash).await
            }
            _ => self.inner.create(user, hash).await,
        }
    }

    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.inner.find_user(id).await
    }

    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        match (self.defect, subject) {
            (Defect::FindsKeysByNumber, Subject::External(key)) => match key.parse() {
                Ok(number) => self.inner.find_user(UserId::new(number)).await,
                Err(_) => Ok(None),
            },
            (Defect::RefusesOddSubjects, Subject::Username(text) | Subject::Email(text)) if text.contains('\0') => {
                Err(StoreError::broken("invalid byte sequence for encoding"))
            }
            (Defect::SubjectFoldsCase, Subject::Username(text) | Subject::Email(text)) => {
                let is = |user: &User| [&user.username, &user.email].iter().any(|name| name.eq_ignore_ascii_case(text));
                Ok(self.everybody().await.into_iter().find(is))
            }
            (Defect::FindsOldNames, _) => {
                let found = self.inner.find_by_subject(subject).await?;
                self.remember_names().await;
                let remembered = self.names.lock().unwrap().get(subject).copied();
                match (found, remembered) {
                    (None, Some(id)) => self.inner.find_user(id).await,
                    (found, _) => Ok(found),
                }
            }
            _ => {
                let found = self.inner.find_by_subject(subject).await?;
                Ok(found.filter(|user| user.is_active || !self.has(Defect::SubjectHidesTheInactive)))
            }
        }
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let (LoginName::Username(text) | LoginName::Email(text)) = name;
        if self.has(Defect::RefusesOddLoginNames) && text.contains('\0') {
            return Err(StoreError::broken("invalid byte sequence for encoding"));
        }
        let exact = match (self.defect, name) {
            (Defect::LoginFoldsCase, LoginName::Username(text)) => {
                let found = self.everybody().await.into_iter().find(|user| user.username.eq_ignore_ascii_case(text));
                found.map(|user| LoginName::Username(user.username))
            }
            _ => None,
        };
        let found = self.inner.find_for_login(exact.as_ref().unwrap_or(name)).await?;
        Ok(found.filter(|(user, _)| user.is_active || !self.has(Defect::LoginHidesTheInactive)))
    }

    async fn update_profile(&self, id: UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        if self.has(Defect::FindsOldNames) {
            self.remember_names().await;
        }
        match (self.defect, self.user(id).await) {
            (Defect::ForgetsGroupsOnRename, Some(user)) => {
                self.inner.put_user(User { groups: BTreeSet::new(), ..user });
                self.inner.update_profile(id, change).await
            }
            (Defect::WritesWholeProfiles, Some(user)) => {
                meanwhile().await;
                let change = ProfileChange {
                    username: change.username.clone().or(Some(username(&user.username))),
                    email: change.email.clone().or(Some(email(&user.email))),
                    first_name: change.first_name.clone().or(Some(person_name(&user.first_name))),
                    last_name: change.last_name.clone().or(Some(person_name(&user.last_name))),
                    mails: change.mails.clone(),
                };
                self.inner.update_profile(id, &change).await
            }
            (Defect::RefusesOwnNames, Some(_)) => {
                match self.taken(change.username.as_ref(), change.email.as_ref()).await {
                    Some(taken) => Ok(ProfileUpdate::Taken(taken)),
                    None => self.inner.update_profile(id, change).await,
                }
            }
            (Defect::RenamesInTwoSteps, Some(mut user)) if change.username.is_some() => {
                if let Some(taken) = self.taken(change.username.as_ref(), None).await {
                    return Ok(ProfileUpdate::Taken(taken));
                }
                meanwhile().await;
                user.username = change.username.as_ref().unwrap().as_str().to_owned();
                self.inner.put_user(user.clone());
                Ok(ProfileUpdate::Done(user))
            }
            (Defect::TakenNamesStopHalfWay, Some(_)) => {
                let names = ProfileChange { username: None, email: None, ..change.clone() };
                self.inner.update_profile(id, &names).await?;
                self.inner.update_profile(id, change).await
            }
            (_, Some(user)) => self.move_mailbox_somehow(user, change).await,
            _ => self.inner.update_profile(id, change).await,
        }
    }

    async fn upgrade_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        let now = self.hash(id).await.unwrap_or_else(|| old.clone());
        match self.defect {
            Defect::UpgradesAnyHash => self.inner.upgrade_hash(id, &now, new).await,
            Defect::UpgradesInTwoSteps if now == *old => {
                meanwhile().await;
                let now = self.hash(id).await.unwrap_or(now);
                self.inner.upgrade_hash(id, &now, new).await
            }
            _ => self.inner.upgrade_hash(id, old, new).await,
        }
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        let found = self.inner.find_by_email(email).await?;
        Ok(found.filter(|user| user.email == email.as_str() || !self.has(Defect::FindsAddressesExactly)))
    }

    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError> {
        self.set_password_somehow(new, now).await
    }

    async fn confirm_email(&self, proven: &ProvenEmail, now: Timestamp) -> Result<EmailUpdate, StoreError> {
        self.confirm_email_somehow(proven, now).await
    }

    async fn set_groups(&self, id: UserId, groups: &BTreeSet<GroupName>) -> Result<bool, StoreError> {
        match (self.defect, self.user(id).await) {
            (Defect::AnswersForNobodysGroups, None) => Ok(true),
            (Defect::KeepsOldGroups, Some(user)) => {
                self.inner.set_groups(id, &user.groups.union(groups).cloned().collect()).await
            }
            (Defect::FoldsGroups, _) => {
                let folded = groups.iter().filter_map(|name| GroupName::parse(&name.as_str().to_lowercase()).ok());
                self.inner.set_groups(id, &folded.collect()).await
            }
            _ => self.inner.set_groups(id, groups).await,
        }
    }

    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        self.wait_or_fail().await?;
        match (self.defect, self.user(id).await) {
            (Defect::AnswersForNobody, None) => Ok(true),
            (Defect::CountsChangedRows, Some(user)) if user.is_active == active => Ok(false),
            _ => self.inner.set_active(id, active).await,
        }
    }

    async fn set_staff(&self, id: UserId, staff: bool) -> Result<bool, StoreError> {
        match (self.defect, self.user(id).await) {
            (Defect::DemotesToSuperuser, Some(user)) => Ok(self.inner.put_user(User { is_staff: staff, ..user })),
            _ => self.inner.set_staff(id, staff).await,
        }
    }

    async fn delete(&self, id: UserId) -> Result<bool, StoreError> {
        if self.user(id).await.is_none() {
            return Ok(false);
        }
        let orphans = self.sessions(Some(id)).await;
        let (codes, mails) = (self.codes(id), self.inner.mails());
        let is_deleted = self.inner.delete(id).await?;
        if self.has(Defect::LeavesCodesOfTheDeleted) {
            self.put_codes(codes);
        }
        if self.has(Defect::LeavesMailsOfTheDeleted) {
            let left = self.inner.mails();
            self.send(&mails.into_iter().filter(|mail| !left.contains(mail)).collect::<Vec<_>>()).await;
        }
        if self.has(Defect::DeletesWithoutCascade) {
            orphans.into_iter().for_each(|session| self.inner.put_session(session));
        }
        Ok(is_deleted)
    }

    async fn list(&self, page: AccountPage) -> Result<Vec<User>, StoreError> {
        let mut listed = self.inner.list(page).await?;
        if self.has(Defect::ListsByName) {
            listed.sort_by_key(|user| user.username.clone());
        }
        Ok(listed)
    }

    async fn has_superuser(&self) -> Result<bool, StoreError> {
        self.inner.has_superuser().await
    }
}
