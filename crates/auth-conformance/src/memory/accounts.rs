//! Accounts in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_accounts::account::{Email, LoginName, NewEmail, NewUser, ProfileChange, Taken};
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{
    AccountPage, Accounts, EmailUpdate, ListPosition, ListedUsers, NewPassword, PasswordUpdate, ProfileUpdate,
    VerifiedEmail,
};
use auth_accounts::second_factor::{Factors, Method};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Change, KeptSession, TokenUsers};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{RevokeReason, SessionId, Subject, SubjectField};
use auth_core::user::{GroupName, SecurityStamp, User, UserId};

use super::effects::Pending;
use super::{Account, MemoryStore, State, WantedName};

impl State {
    fn has_live_session(&self, user: &UserId, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.user_id == *user && session.revoked_at.is_none())
    }

    fn is_live_session_of(&self, user: &UserId, keep: &KeptSession) -> bool {
        let is_own = self.sessions.get(&keep.id).is_some_and(|session| session.user_id == *user);
        is_own && self.is_live(keep.id, keep.from)
    }
}

/// Whether a new password verifies the current email address of the account.
fn verifies_own_email(new: &NewPassword, account: &Account) -> bool {
    new.verifies.as_ref().is_some_and(|email| account.logs_in_with(email))
}

fn is_same_set(one: &[Method], other: &[Method]) -> bool {
    one.iter().all(|method| other.contains(method)) && other.iter().all(|method| one.contains(method))
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create(&self, new: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        let mut effects = Pending::try_from(&new.effects)?;
        let mut state = self.state();
        let name = WantedName { name: &new.username, is_exact_only: new.is_imported };
        let login_email = new.email.as_ref().and_then(NewEmail::login_name);
        if let Some(taken) = state.taken(None, Some(name), login_email) {
            return Ok(Err(taken));
        }
        let is_canonical = WantedName { is_exact_only: false, ..name };
        let reserves_canonical_name = state.taken(None, Some(is_canonical), None).is_none();
        let id = new.id.known().unwrap_or(UserId::Integer(state.last_number + 1));
        if state.accounts.contains_key(&id) {
            return Err(StoreError::broken("another user has this ID"));
        }
        state.last_number += 1;
        let number = state.last_number;
        let user = User {
            id: id.clone(),
            username: new.username.as_str().to_owned(),
            email: new.email.as_ref().map(|email| email.email().as_str().to_owned()),
            email_is_login_name: login_email.is_some(),
            first_name: new.first_name.as_str().to_owned(),
            last_name: new.last_name.as_str().to_owned(),
            is_active: true,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            groups: BTreeSet::new(),
            date_joined: new.date_joined,
            last_login: None,
            email_verified_at: new.email_verified_at,
            token_epoch: UnixTime::default(),
            multi_factor_since: None,
            security_stamp: SecurityStamp::default(),
        };
        let account = Account {
            number,
            user: user.clone(),
            username: new.username.clone(),
            reserves_canonical_name,
            login_email: login_email.cloned(),
            hash: hash.clone(),
            factors: Factors::default(),
            first_factor_at: None,
        };
        state.accounts.insert(id.clone(), account);
        effects.events = new.effects.events_of_new(&id);
        state.commit(&id, effects);
        Ok(Ok(user))
    }

    async fn find_user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().user(id).cloned())
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let has_name = |user: &User| match name {
            LoginName::Username(text) => user.username == *text,
            LoginName::Email(text) => user.login_email() == Some(text),
        };
        let state = self.state();
        let found = state.accounts.values().find(|account| has_name(&account.user));
        Ok(found.map(|account| (account.user.clone(), account.hash.clone())))
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        let state = self.state();
        let found = state.accounts.values().find(|account| account.logs_in_with(email));
        Ok(found.map(|account| account.user.clone()))
    }

    async fn update_profile(&self, id: &UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        let effects = Pending::try_from(&change.effects)?;
        let mut state = self.state();
        let Some(before) = state.accounts.get(id) else { return Ok(ProfileUpdate::Gone) };
        if !before.has_stamp(change.only_at) {
            return Ok(ProfileUpdate::Overtaken);
        }
        let is_other = change.email.as_ref().is_some_and(|email| !before.logs_in_with(email));
        if let Some(taken) = state.taken(Some(id), state.wanted_name(id, change), change.email.as_ref()) {
            return Ok(ProfileUpdate::Taken(taken));
        }
        state.change(id, |account| {
            account.apply(change);
            if is_other {
                account.user.email_verified_at = None;
                account.advance_stamp();
            }
        });
        if is_other {
            state.codes.end_all_of(id, None);
        }
        state.commit(id, effects);
        Ok(state.user(id).cloned().map_or(ProfileUpdate::Gone, ProfileUpdate::Done))
    }

    async fn upgrade_hash(&self, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        match self.state().accounts.get_mut(id) {
            Some(account) if account.hash == *old => account.hash = new.clone(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError> {
        let effects = Pending::try_from(&new.effects)?;
        let mut state = self.state();
        let Some(account) = state.accounts.get(&new.user) else { return Ok(PasswordUpdate::Gone) };
        let is_unchanged_since_read = account.has_stamp(new.only_at);
        let is_code_good = new.code.is_none_or(|code| state.codes.is_usable(code, &new.user, now));
        let is_kept = new.keep.is_none_or(|keep| state.is_live_session_of(&new.user, &keep));
        let is_replaced = new.replace.as_ref().is_none_or(|replace| state.has_live_session(&new.user, replace.ends));
        let is_first_verification = account.user.email_verified_at.is_none() && verifies_own_email(new, account);
        let removable = if is_first_verification { account.factors.on() } else { Vec::new() };
        let is_as_expected = is_unchanged_since_read && is_same_set(&new.removes, &removable);
        if !is_as_expected || !is_code_good || !is_kept || !is_replaced {
            return Ok(PasswordUpdate::Overtaken);
        }
        if let Some(keep) = new.keep {
            state.advance(keep.id, keep.next);
        }
        state.end_all(&new.user, new.keep.map(|keep| keep.id), RevokeReason::PasswordChanged, now);
        if let Some(replace) = &new.replace {
            state.insert(replace.begins.clone());
        }
        state.change(&new.user, |account| {
            account.hash = new.hash.clone();
            if verifies_own_email(new, account) {
                account.user.email_verified_at = Some(now.into());
            }
            if !new.removes.is_empty() {
                account.factors = Factors::default();
                account.user.multi_factor_since = None;
            }
        });
        state.codes.end_all_of(&new.user, Some(now));
        state.commit(&new.user, effects);
        Ok(PasswordUpdate::Done)
    }

    async fn confirm_email(&self, verified: &VerifiedEmail, now: Timestamp) -> Result<EmailUpdate, StoreError> {
        let VerifiedEmail { user, code, email, is_change, only_at, effects } = verified;
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        let is_due = |account: &Account| account.has_stamp(*only_at) && (*is_change || account.logs_in_with(email));
        let is_due = state.accounts.get(user).is_some_and(is_due);
        if !is_due || !state.codes.is_usable(*code, user, now.unix()) {
            return Ok(EmailUpdate::Overtaken);
        }
        if *is_change && state.taken(Some(user), None, Some(email)).is_some() {
            return Ok(EmailUpdate::Taken);
        }
        state.change(user, |account| {
            if *is_change {
                account.set_login_email(email);
                account.advance_stamp();
            }
            account.user.email_verified_at = Some(now);
        });
        if *is_change {
            state.codes.end_all_of(user, Some(now.unix()));
        }
        state.codes.consume(*code, now.unix());
        state.commit(user, effects);
        Ok(state.user(user).cloned().map_or(EmailUpdate::Overtaken, EmailUpdate::Done))
    }

    async fn set_active(&self, id: &UserId, active: bool, effects: &Effects) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        if !active {
            state.codes.end_all_of(id, None);
        }
        Ok(state.change_rights(id, effects, |user| user.is_active = active))
    }

    async fn set_staff(&self, id: &UserId, staff: bool, effects: &Effects) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        Ok(self.state().change_rights(id, effects, |user| {
            user.is_staff = staff;
            user.is_superuser &= staff;
        }))
    }

    async fn promote(&self, id: &UserId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        let Some(was_staff) = state.user(id).map(|user| user.is_staff) else { return Ok(false) };
        state.change_rights(id, effects, |user| user.is_staff = true);
        if !was_staff {
            state.codes.end_with_factors_of(id);
            state.end_all(id, None, RevokeReason::Administrator, now);
        }
        Ok(true)
    }

    async fn set_groups(
        &self,
        id: &UserId,
        groups: &BTreeSet<GroupName>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        Ok(self.state().change_rights(id, effects, |user| user.groups = groups.clone()))
    }

    async fn delete(&self, id: &UserId, effects: &Effects) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.sessions.retain(|_, session| session.user_id != *id);
        state.codes.retain(|code| code.user_id != *id);
        state.outbox.delete_all_of(id.clone());
        let is_deleted = state.accounts.remove(id).is_some();
        if is_deleted {
            state.commit_events(effects);
            state.feeds.report(Change::AccountChanged(id.clone()));
        }
        Ok(is_deleted)
    }

    async fn list(&self, page: AccountPage) -> Result<ListedUsers, StoreError> {
        let state = self.state();
        let position = |account: &Account| ListPosition::new(account.number);
        let mut following: Vec<_> = state
            .accounts
            .values()
            .filter(|account| page.after.is_none_or(|after| position(account) > after))
            .collect();
        following.sort_by_key(|account| account.number);
        following.truncate(page.limit as usize);
        let end = following.last().map(|account| position(account));
        Ok(ListedUsers { users: following.into_iter().map(|account| account.user.clone()).collect(), end })
    }

    async fn has_superuser(&self) -> Result<bool, StoreError> {
        Ok(self.state().accounts.values().any(|account| account.user.is_superuser))
    }
}

#[async_trait]
impl TokenUsers for MemoryStore {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let field = match subject {
            Subject::Id(_) => SubjectField::Id,
            Subject::Username(_) => SubjectField::Username,
            Subject::Email(_) => SubjectField::Email,
        };
        let state = self.state();
        let mut users = state.accounts.values().map(|account| &account.user);
        Ok(users.find(|user| user.subject(field).as_ref() == Some(subject)).cloned())
    }
}
