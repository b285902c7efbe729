//! Accounts and their password hashes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::{Email, GroupName, LoginName, NewUser, ProfileChange, Taken, User, UserId, Username};
use auth_core::password::PasswordHash;
use auth_core::ports::{AccountPage, Accounts, ProfileUpdate};
use auth_core::time::UnixTime;
use auth_core::token::{RevokeReason, Subject};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::connection::{AnyConnection, on_either};
use crate::error::JobError;
use crate::rows::{CredentialsRow, NewUserRow, ProfileChangeRow, UserRow};
use crate::schema::{credentials, users};
use crate::sessions::end_all;
use crate::store::DieselStore;
use crate::types::DbTime;

#[async_trait]
impl Accounts for DieselStore {
    async fn create(&self, user: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        let wanted = Wanted { own: None, username: Some(user.username.clone()), email: Some(user.email.clone()) };
        let (new, hash) = (user.clone(), hash.expose().to_owned());
        self.write(move |connection| {
            wanted.unless_taken(connection, |connection| {
                connection.transaction(|connection| {
                    let row: UserRow = diesel::insert_into(users::table)
                        .values(NewUserRow::from(&new))
                        .returning(UserRow::columns())
                        .get_result(connection)?;
                    let user = User::from(row);
                    let hash = CredentialsRow::new(user.id, &hash, new.date_joined);
                    diesel::insert_into(credentials::table).values(hash).execute(connection)?;
                    Ok(user)
                })
            })
        })
        .await
    }

    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(move |connection| Ok(user_by_number(connection, id)?)).await
    }

    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let subject = subject.clone();
        self.read(move |connection| {
            let rows = users::table.select(UserRow::as_select());
            let row = match &subject {
                Subject::Id(id) => rows.find(id.get()).filter(users::external_id.is_null()).first(connection),
                Subject::External(key) if cannot_be_stored(key) => return Ok(None),
                Subject::External(key) => rows.filter(users::external_id.eq(key)).first(connection),
                Subject::Username(name) if cannot_be_stored(name) => return Ok(None),
                Subject::Username(name) => rows.filter(users::username.eq(name)).first(connection),
                Subject::Email(text) => {
                    let Ok(email) = Email::parse(text) else { return Ok(None) };
                    let same = users::email_canonical.eq(email.canonical()).and(users::email.eq(email.as_str()));
                    rows.filter(same).first(connection)
                }
            };
            Ok(row.optional()?.map(UserRow::into))
        })
        .await
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let name = name.clone();
        self.read(move |connection| {
            let rows = users::table.inner_join(credentials::table);
            let rows = rows.select((UserRow::as_select(), credentials::password_hash));
            let row = match &name {
                LoginName::Username(text) if cannot_be_stored(text) => return Ok(None),
                LoginName::Username(text) => rows.filter(users::username.eq(text)).first(connection),
                LoginName::Email(text) => {
                    // Found by the form that is indexed. What is no address is nobody's.
                    let Ok(email) = Email::parse(text) else { return Ok(None) };
                    let same = users::email_canonical.eq(email.canonical()).and(users::email.eq(email.as_str()));
                    rows.filter(same).first(connection)
                }
            };
            let found: Option<(UserRow, String)> = row.optional()?;
            Ok(found.map(|(user, hash)| (user.into(), PasswordHash::new(hash))))
        })
        .await
    }

    async fn update_profile(&self, id: UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        let change = change.clone();
        let wanted = Wanted { own: Some(id), username: change.username.clone(), email: change.email.clone() };
        let outcome = self.write(move |connection| {
            wanted.unless_taken(connection, |connection| {
                if change.is_empty() {
                    return Ok(user_by_number(connection, id)?);
                }
                let row: Option<UserRow> = diesel::update(users::table.find(id.get()))
                    .set(ProfileChangeRow::from(&change))
                    .returning(UserRow::columns())
                    .get_result(connection)
                    .optional()?;
                Ok(row.map(Into::into))
            })
        });
        Ok(match outcome.await? {
            Ok(Some(user)) => ProfileUpdate::Done(user),
            Ok(None) => ProfileUpdate::Gone,
            Err(taken) => ProfileUpdate::Taken(taken),
        })
    }

    async fn upgrade_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        let (old, new) = (old.expose().to_owned(), new.expose().to_owned());
        self.write(move |connection| {
            let still_old = credentials::table.find(id.get()).filter(credentials::password_hash.eq(&old));
            let changed = diesel::update(still_old).set(credentials::password_hash.eq(&new)).execute(connection)?;
            Ok(changed == 1)
        })
        .await
    }

    async fn set_password(&self, id: UserId, hash: &PasswordHash, now: UnixTime) -> Result<bool, StoreError> {
        let hash = hash.expose().to_owned();
        self.write(move |connection| {
            connection.transaction(|connection| {
                if end_all(connection, id, None, RevokeReason::PasswordChanged, now)?.is_none() {
                    return Ok(false);
                }
                let row = CredentialsRow::new(id, &hash, now);
                on_either!(connection, connection => {
                    diesel::insert_into(credentials::table)
                        .values(row)
                        .on_conflict(credentials::user_id)
                        .do_update()
                        .set((
                            credentials::password_hash.eq(excluded(credentials::password_hash)),
                            credentials::updated_at.eq(excluded(credentials::updated_at)),
                        ))
                        .execute(connection)?
                });
                Ok(true)
            })
        })
        .await
    }

    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let user = users::table.find(id.get());
            Ok(diesel::update(user).set(users::is_active.eq(active)).execute(connection)? == 1)
        })
        .await
    }

    async fn set_staff(&self, id: UserId, staff: bool) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let demotion = (!staff).then(|| users::is_superuser.eq(false));
            let rights = (users::is_staff.eq(staff), demotion);
            Ok(diesel::update(users::table.find(id.get())).set(rights).execute(connection)? == 1)
        })
        .await
    }

    async fn set_groups(&self, id: UserId, groups: &BTreeSet<GroupName>) -> Result<bool, StoreError> {
        let names = groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(" ");
        self.write(move |connection| {
            let user = users::table.find(id.get());
            Ok(diesel::update(user).set(users::group_names.eq(&names)).execute(connection)? == 1)
        })
        .await
    }

    async fn delete(&self, id: UserId) -> Result<bool, StoreError> {
        self.write(move |connection| Ok(diesel::delete(users::table.find(id.get())).execute(connection)? == 1)).await
    }

    async fn list(&self, page: AccountPage) -> Result<Vec<User>, StoreError> {
        self.read(move |connection| {
            let following = users::table.filter(users::id.gt(page.after.map_or(i64::MIN, UserId::get)));
            let page = following.order(users::id).limit(page.limit.into()).select(UserRow::as_select());
            Ok(page.load(connection)?.into_iter().map(Into::into).collect())
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

fn user_by_number(connection: &mut AnyConnection, id: UserId) -> QueryResult<Option<User>> {
    let row: Option<UserRow> = users::table.find(id.get()).select(UserRow::as_select()).first(connection).optional()?;
    Ok(row.map(Into::into))
}

/// Whether no text in any row can be this one. PostgreSQL would not even let us ask.
fn cannot_be_stored(text: &str) -> bool {
    text.contains('\0')
}

/// What must be unique in a write.
struct Wanted {
    own: Option<UserId>,
    username: Option<Username>,
    email: Option<Email>,
}

impl Wanted {
    /// Runs a write. If the database refuses it because something is taken, asks what.
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
                    // Free again in the meantime.
                    None if attempts < 3 => {}
                    None => return Err(failure),
                },
                outcome => return outcome.map(Ok),
            }
        }
    }

    fn taken(&self, connection: &mut AnyConnection) -> QueryResult<Option<Taken>> {
        // No account has the number that stands for none.
        let others = users::table.filter(users::id.ne(self.own.map_or(i64::MIN, UserId::get)));
        if let Some(name) = &self.username {
            let same = users::username_canonical.eq(name.canonical()).or(users::username.eq(name.as_str()));
            if diesel::select(exists(others.filter(same))).get_result(connection)? {
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
    fn new(id: UserId, hash: &str, now: impl Into<DbTime>) -> Self {
        Self { user_id: id.get(), password_hash: hash.to_owned(), updated_at: now.into() }
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
