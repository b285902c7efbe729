//! Accounts and their password hashes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_accounts::account::{Email, LoginName, NewEmail, NewUser, ProfileChange, Taken, Username};
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{
    AccountPage, Accounts, EmailUpdate, ListPosition, ListedUsers, NewPassword, PasswordUpdate, ProfileUpdate,
    VerifiedEmail,
};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::TokenUsers;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{RevokeReason, Subject};
use auth_core::user::{GroupName, User, UserId};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::codes::{end_codes, end_with_factors, use_code_in_time};
use crate::connection::{AnyConnection, Undo, on_either};
use crate::error::JobError;
use crate::groups::{copied_names, lock_groups, replace_groups};
use crate::keys::{UserKey, for_user, key_of};
use crate::locked::{LockedAccount, lock_account, next_stamp};
use crate::outbox::put;
use crate::rows::{CredentialsRow, NewUserRow, ProfileChangeRow, UserRow};
use crate::schema::{credentials, users};
use crate::second_factors::remove_unverified;
use crate::sessions::{begin, end_all, end_own, keep};
use crate::store::DieselStore;
use crate::types::DbTime;

#[async_trait]
impl Accounts for DieselStore {
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        let wanted = Wanted {
            own: None,
            username: Some(user.username.clone()),
            is_imported: user.is_imported,
            email: user.email.as_ref().and_then(NewEmail::login_name).cloned(),
        };
        let (new, hash) = (user.clone(), hash.expose().to_owned());
        self.write(move |connection| {
            wanted.unless_taken(connection, |connection| {
                connection.transaction(|connection| {
                    let reserves = !new.is_imported || !is_canonical_name(connection, &new.username)?;
                    let row: UserRow = diesel::insert_into(users::table)
                        .values(NewUserRow::new(&new, reserves))
                        .returning(UserRow::columns())
                        .get_result(connection)?;
                    let hash = CredentialsRow::new(row.id, &hash, new.date_joined);
                    diesel::insert_into(credentials::table).values(hash).execute(connection)?;
                    put(connection, row.id, &new.effects)?;
                    User::try_from(row)
                })
            })
        })
        .await
    }

    async fn find_user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let id = id.clone();
        self.read(move |connection| Ok(user_by_id(connection, &id)?)).await
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let name = name.clone();
        self.read(move |connection| {
            let rows = users::table.inner_join(credentials::table);
            let rows = rows.select((UserRow::as_select(), credentials::password_hash));
            let row = match &name {
                LoginName::Username(text) if cannot_be_stored(text) => return Ok(None),
                LoginName::Username(text) => rows.filter(users::username.eq(text)).get_result(connection),
                LoginName::Email(text) => {
                    // The indexed canonical form selects the row. A name that is not a valid email address matches no
                    // user.
                    let Ok(email) = Email::parse(text) else { return Ok(None) };
                    let same = users::email_canonical.eq(email.canonical()).and(users::email.eq(email.as_str()));
                    rows.filter(same).get_result(connection)
                }
            };
            let found: Option<(UserRow, String)> = row.optional()?;
            Ok(found.map(|(user, hash)| user.try_into().map(|user| (user, PasswordHash::new(hash)))).transpose()?)
        })
        .await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        let email = email.canonical().to_owned();
        self.read(move |connection| {
            let row = users::table.filter(users::email_canonical.eq(&email)).select(UserRow::as_select());
            Ok(row.get_result(connection).optional()?.map(UserRow::try_into).transpose()?)
        })
        .await
    }

    async fn update_profile(&self, id: &UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        let (id, change) = (id.clone(), change.clone());
        let wanted = Wanted {
            own: Some(id.clone()),
            username: change.username.clone(),
            is_imported: false,
            email: change.email.clone(),
        };
        let outcome = self.write(move |connection| {
            wanted.unless_taken(connection, |connection| {
                if change == ProfileChange::default() {
                    let user = user_by_id(connection, &id)?;
                    return Ok(user.map_or(ProfileUpdate::Gone, ProfileUpdate::Done));
                }
                connection.transaction(|connection| {
                    let Some(account) = lock_account(connection, &id)? else { return Ok(ProfileUpdate::Gone) };
                    if !account.has_stamp(change.only_at) {
                        return Ok(ProfileUpdate::Overtaken);
                    }
                    let moves = change.email.as_ref().is_some_and(|email| !account.logs_in_with(email));
                    let unverified = moves.then(|| (users::email_verified_at.eq(None::<DbTime>), next_stamp()));
                    // The lock column is set again because there may be no other field to set.
                    let lock = users::token_epoch.eq(users::token_epoch);
                    let mut fields = ProfileChangeRow::from(&change);
                    if let Some(name) = &change.username
                        && reserves_only(connection, account.id, name)?
                    {
                        fields.username_canonical = None;
                    }
                    let row: UserRow = diesel::update(users::table.find(account.id))
                        .set((lock, fields, unverified))
                        .returning(UserRow::columns())
                        .get_result(connection)?;
                    if moves {
                        end_codes(connection, account.id, None)?;
                    }
                    put(connection, account.id, &change.effects)?;
                    Ok(ProfileUpdate::Done(row.try_into()?))
                })
            })
        });
        Ok(outcome.await?.unwrap_or_else(ProfileUpdate::Taken))
    }

    async fn upgrade_hash(&self, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        let (id, old, new) = (id.clone(), old.expose().to_owned(), new.expose().to_owned());
        self.write(move |connection| {
            let changed = for_user!(&id, user => {
                let own = credentials::table.filter(credentials::user_id.eq_any(user.select(users::id)));
                let still_old = own.filter(credentials::password_hash.eq(&old));
                diesel::update(still_old).set(credentials::password_hash.eq(&new)).execute(connection)?
            });
            Ok(changed == 1)
        })
        .await
    }

    async fn set_password(&self, new: &NewPassword, now: UnixTime) -> Result<PasswordUpdate, StoreError> {
        let new = new.clone();
        self.write(move |connection| {
            connection.transaction_if(|connection| {
                let Some(account) = lock_account(connection, &new.user)? else { return Ok(PasswordUpdate::Gone) };
                let overtaken = PasswordUpdate::Overtaken;
                Undo::unless(account.has_stamp(new.only_at), overtaken)?;
                replace_hash(connection, account.id, &new, now)?;
                if let Some(code) = new.code {
                    Undo::unless(use_code_in_time(connection, code, account.id, now)?, overtaken)?;
                }
                if let Some(kept) = new.keep {
                    Undo::unless(keep(connection, account.id, kept)?, overtaken)?;
                }
                if let Some(replaced) = &new.replace {
                    let is_ended = end_own(connection, &account, replaced.ends, RevokeReason::PasswordChanged, now)?;
                    Undo::unless(is_ended, overtaken)?;
                }
                let verifies = new.verifies.as_ref().is_some_and(|email| account.logs_in_with(email));
                let is_first_verification = verifies && account.email_verified_at.is_none();
                Undo::unless(
                    remove_unverified(connection, account.id, &new.removes, is_first_verification)?,
                    overtaken,
                )?;
                let kept = new.keep.map(|kept| kept.id);
                end_all(connection, &account, kept, RevokeReason::PasswordChanged, now)?;
                if let Some(replaced) = &new.replace {
                    begin(connection, account.id, &replaced.begins)?;
                }
                end_codes(connection, account.id, Some(now))?;
                if verifies {
                    let verified = users::email_verified_at.eq(DbTime::from(now));
                    diesel::update(users::table.find(account.id)).set(verified).execute(connection)?;
                }
                put(connection, account.id, &new.effects)?;
                Ok(PasswordUpdate::Done)
            })
        })
        .await
    }

    async fn confirm_email(&self, verified: &VerifiedEmail, now: Timestamp) -> Result<EmailUpdate, StoreError> {
        let verified = verified.clone();
        let email = Some(verified.email.clone());
        let wanted = Wanted { own: Some(verified.user.clone()), username: None, is_imported: false, email };
        let outcome = self.write(move |connection| {
            wanted.unless_taken(connection, |connection| {
                connection.transaction(|connection| confirm(connection, &verified, now))
            })
        });
        Ok(outcome.await?.unwrap_or(EmailUpdate::Taken))
    }

    async fn set_active(&self, id: &UserId, active: bool, effects: &Effects) -> Result<bool, StoreError> {
        let (id, effects) = (id.clone(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &id)? else { return Ok(false) };
                let other = users::table.find(account.id).filter(users::is_active.ne(active));
                diesel::update(other).set((users::is_active.eq(active), next_stamp())).execute(connection)?;
                if !active {
                    end_codes(connection, account.id, None)?;
                }
                put(connection, account.id, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn set_staff(&self, id: &UserId, staff: bool, effects: &Effects) -> Result<bool, StoreError> {
        let (id, effects) = (id.clone(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &id)? else { return Ok(false) };
                make_staff(connection, &account, staff)?;
                put(connection, account.id, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn promote(&self, id: &UserId, effects: &Effects, now: UnixTime) -> Result<bool, StoreError> {
        let (id, effects) = (id.clone(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &id)? else { return Ok(false) };
                if make_staff(connection, &account, true)? {
                    end_with_factors(connection, account.id)?;
                    end_all(connection, &account, None, RevokeReason::Administrator, now)?;
                }
                put(connection, account.id, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn set_groups(
        &self,
        id: &UserId,
        groups: &BTreeSet<GroupName>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let (id, groups, effects) = (id.clone(), groups.clone(), effects.clone());
        self.write(move |connection| {
            connection.transaction_if(|connection| {
                // Groups before accounts, as when a group is renamed or deleted, which updates the accounts of its
                // members.
                let ids = lock_groups(connection, &groups)?;
                let Some(account) = lock_account(connection, &id)? else { return Err(Undo::Answer(false)) };
                let names = copied_names(&groups);
                let other = users::table.find(account.id).filter(users::group_names.ne(&names));
                diesel::update(other).set((users::group_names.eq(&names), next_stamp())).execute(connection)?;
                replace_groups(connection, account.id, &ids)?;
                put(connection, account.id, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn delete(&self, id: &UserId, _: &Effects) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            let deleted = for_user!(&id, rows => diesel::delete(rows).execute(connection)?);
            Ok(deleted == 1)
        })
        .await
    }

    async fn list(&self, page: AccountPage) -> Result<ListedUsers, StoreError> {
        self.read(move |connection| {
            let following = users::table.filter(users::id.gt(page.after.map_or(i64::MIN, ListPosition::get)));
            let page = following.order(users::id).limit(page.limit.into()).select(UserRow::as_select());
            let rows: Vec<UserRow> = page.load(connection)?;
            let end = rows.last().map(|row| ListPosition::new(row.id));
            Ok(ListedUsers { users: rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?, end })
        })
        .await
    }

    async fn has_superuser(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
            let superusers = users::table.filter(users::is_superuser);
            Ok(diesel::select(exists(superusers)).get_result(connection)?)
        })
        .await
    }
}

#[async_trait]
impl TokenUsers for DieselStore {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let subject = subject.clone();
        self.read(move |connection| {
            let rows = users::table.select(UserRow::as_select());
            let row = match &subject {
                Subject::Id(id) => return Ok(user_by_id(connection, id)?),
                Subject::Username(name) if cannot_be_stored(name) => return Ok(None),
                Subject::Username(name) => rows.filter(users::username.eq(name)).get_result(connection),
                Subject::Email(text) => {
                    let Ok(email) = Email::parse(text) else { return Ok(None) };
                    let same = users::email_canonical.eq(email.canonical()).and(users::email.eq(email.as_str()));
                    rows.filter(same).get_result(connection)
                }
            };
            Ok(row.optional()?.map(UserRow::try_into).transpose()?)
        })
        .await
    }
}

fn user_by_id(connection: &mut AnyConnection, id: &UserId) -> QueryResult<Option<User>> {
    let row: Option<UserRow> =
        for_user!(id, rows => rows.select(UserRow::as_select()).get_result(connection).optional()?);
    row.map(UserRow::try_into).transpose()
}

/// Stores a password hash, in place of the old one if there is one.
fn replace_hash(connection: &mut AnyConnection, user: UserKey, new: &NewPassword, now: UnixTime) -> QueryResult<usize> {
    let row = CredentialsRow::new(user, new.hash.expose(), now);
    on_either!(connection, connection => {
        diesel::insert_into(credentials::table)
            .values(row)
            .on_conflict(credentials::user_id)
            .do_update()
            .set((
                credentials::password_hash.eq(excluded(credentials::password_hash)),
                credentials::updated_at.eq(excluded(credentials::updated_at)),
            ))
            .execute(connection)
    })
}

/// Grants or removes staff rights of a locked account; `false` if that changes nothing.
fn make_staff(connection: &mut AnyConnection, account: &LockedAccount, staff: bool) -> QueryResult<bool> {
    let user = users::table.find(account.id);
    let changed = if staff {
        let other = user.filter(users::is_staff.eq(false));
        diesel::update(other).set((users::is_staff.eq(true), next_stamp())).execute(connection)?
    } else {
        let other = user.filter(users::is_staff.or(users::is_superuser));
        let rights = (users::is_staff.eq(false), users::is_superuser.eq(false), next_stamp());
        diesel::update(other).set(rights).execute(connection)?
    };
    Ok(changed == 1)
}

fn confirm(connection: &mut AnyConnection, verified: &VerifiedEmail, now: Timestamp) -> QueryResult<EmailUpdate> {
    let VerifiedEmail { user, code, email, is_change, only_at, effects } = verified;
    let Some(account) = lock_account(connection, user)? else { return Ok(EmailUpdate::Overtaken) };
    let is_due = *is_change || account.logs_in_with(email);
    if !is_due || !account.has_stamp(*only_at) || !use_code_in_time(connection, *code, account.id, now.unix())? {
        return Ok(EmailUpdate::Overtaken);
    }
    let address = || (users::email.eq(email.as_str()), users::email_canonical.eq(email.canonical()));
    let change = is_change.then(|| (address(), next_stamp()));
    let row: UserRow = diesel::update(users::table.find(account.id))
        .set((users::email_verified_at.eq(DbTime::from(now)), change))
        .returning(UserRow::columns())
        .get_result(connection)?;
    if *is_change {
        end_codes(connection, account.id, Some(now.unix()))?;
    }
    put(connection, account.id, effects)?;
    Ok(EmailUpdate::Done(row.try_into()?))
}

/// Whether no column can contain this string: PostgreSQL refuses NUL, even in a query.
fn cannot_be_stored(text: &str) -> bool {
    text.contains('\0')
}

/// Whether some username has this canonical form.
fn is_canonical_name(connection: &mut AnyConnection, name: &Username) -> QueryResult<bool> {
    let same = users::table.filter(users::username_canonical.eq(name.canonical()));
    diesel::select(exists(same)).get_result(connection)
}

/// Whether this is the current username of the user and reserves only its exact spelling.
fn reserves_only(connection: &mut AnyConnection, key: UserKey, name: &Username) -> QueryResult<bool> {
    let own = users::table.find(key).filter(users::username.eq(name.as_str()));
    diesel::select(exists(own.filter(users::username_canonical.is_null()))).get_result(connection)
}

/// The unique names that a write needs.
struct Wanted {
    own: Option<UserId>,
    username: Option<Username>,
    /// Whether the username reserves only its exact spelling.
    is_imported: bool,
    /// The email address, as a login name.
    email: Option<Email>,
}

impl Wanted {
    /// Runs a write. If a unique index refuses it, finds out which name is taken.
    fn unless_taken<T>(
        &self,
        connection: &mut AnyConnection,
        write: impl Fn(&mut AnyConnection) -> Result<T, JobError>,
    ) -> Result<Result<T, Taken>, JobError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match write(connection) {
                Err(failure) if failure.is_unique_violation() => match self.taken(connection)? {
                    Some(taken) => return Ok(Err(taken)),
                    // No longer taken.
                    None if attempts < 3 => {}
                    None => return Err(failure),
                },
                outcome => return outcome.map(Ok),
            }
        }
    }

    fn taken(&self, connection: &mut AnyConnection) -> QueryResult<Option<Taken>> {
        let own = self.own.as_ref().map(|id| key_of(connection, id)).transpose()?.flatten();
        // No row has this key.
        let others = users::table.filter(users::id.ne(own.unwrap_or(UserKey::MIN)));
        if let Some(name) = &self.username {
            let exact = users::username.eq(name.as_str());
            let is_exact_only = self.is_imported
                || match own {
                    Some(own) => reserves_only(connection, own, name)?,
                    None => false,
                };
            let is_taken: bool = match is_exact_only {
                true => diesel::select(exists(others.filter(exact))).get_result(connection)?,
                false => {
                    let same = users::username_canonical.eq(name.canonical()).or(exact.nullable());
                    diesel::select(exists(others.filter(same))).get_result(connection)?
                }
            };
            if is_taken {
                return Ok(Some(Taken::Username));
            }
        }
        if let Some(email) = &self.email {
            let same = others.filter(users::email_canonical.eq(email.canonical()));
            if diesel::select(exists(same)).get_result(connection)? {
                return Ok(Some(Taken::Email));
            }
        }
        Ok(None)
    }
}

impl CredentialsRow {
    fn new(user: UserKey, hash: &str, now: impl Into<DbTime>) -> Self {
        Self { user_id: user, password_hash: hash.to_owned(), updated_at: now.into() }
    }
}

impl From<&ProfileChange> for ProfileChangeRow {
    fn from(change: &ProfileChange) -> Self {
        let text = ToOwned::to_owned;
        Self {
            username: change.username.as_ref().map(Username::as_str).map(text),
            username_canonical: change.username.as_ref().map(Username::canonical).map(text),
            email: change.email.as_ref().map(Email::as_str).map(text),
            email_canonical: change.email.as_ref().map(Email::canonical).map(text),
            first_name: change.first_name.as_ref().map(|name| name.as_str().to_owned()),
            last_name: change.last_name.as_ref().map(|name| name.as_str().to_owned()),
        }
    }
}
