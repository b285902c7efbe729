//! Rows, and their conversion to the types of `auth-core`.

use std::num::TryFromIntError;

use auth_accounts::account::{NewEmail, NewUser};
use auth_core::time::UnixTime;
use auth_core::token::{ClientInfo, Generation, NextGeneration, RevokeReason, Session, SessionOfUser};
use auth_core::user::{GroupName, SecurityStamp, User, UserId};
use diesel::prelude::{AsChangeset, ExpressionMethods, Insertable, Queryable, Selectable};
use diesel::result::Error;

use crate::connection::MultiBackend;
use crate::groups::SEPARATOR;
use crate::keys::{UserKey, external_id, user_id};
use crate::schema::{blacklist, credentials, sessions, users};
use crate::types::{DbId, DbTime};

/// An account. The canonical forms are used only in queries.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    pub(crate) id: UserKey,
    external_id: Option<String>,
    username: String,
    email: Option<String>,
    #[diesel(select_expression = users::email_canonical.is_not_null())]
    email_is_login_name: bool,
    first_name: String,
    last_name: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    group_names: String,
    date_joined: DbTime,
    last_login: Option<DbTime>,
    email_verified_at: Option<DbTime>,
    token_epoch: DbTime,
    multi_factor_since: Option<DbTime>,
    security_stamp: i64,
}

impl UserRow {
    /// The columns for the `RETURNING` clause of a write.
    pub(crate) fn columns() -> <Self as Selectable<MultiBackend>>::SelectExpression {
        <Self as Selectable<MultiBackend>>::construct_selection()
    }
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self, Error> {
        Ok(Self {
            id: user_id(row.id, row.external_id.as_deref())?,
            username: row.username,
            email: row.email,
            email_is_login_name: row.email_is_login_name,
            first_name: row.first_name,
            last_name: row.last_name,
            is_active: row.is_active,
            is_staff: row.is_staff,
            is_superuser: row.is_superuser,
            // An invalid name was not written by this service and grants no rights.
            groups: row.group_names.split(SEPARATOR).filter_map(|name| GroupName::parse(name).ok()).collect(),
            date_joined: row.date_joined.into(),
            last_login: row.last_login.map(Into::into),
            email_verified_at: row.email_verified_at.map(Into::into),
            token_epoch: row.token_epoch.into(),
            multi_factor_since: row.multi_factor_since.map(Into::into),
            security_stamp: SecurityStamp::new(row.security_stamp),
        })
    }
}

/// A new account: active, never logged in, with the initial token epoch and security stamp.
#[derive(Insertable)]
#[diesel(table_name = users)]
pub(crate) struct NewUserRow {
    external_id: Option<String>,
    username: String,
    username_canonical: Option<String>,
    email: Option<String>,
    email_canonical: Option<String>,
    first_name: String,
    last_name: String,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    date_joined: DbTime,
    email_verified_at: Option<DbTime>,
    token_epoch: DbTime,
}

impl NewUserRow {
    /// The row of a new user, with or without the canonical form of its username.
    pub(crate) fn new(new: &NewUser, reserves_canonical_name: bool) -> Self {
        let login_email = new.email.as_ref().and_then(NewEmail::login_name);
        Self {
            external_id: new.id.known().as_ref().and_then(external_id),
            username: new.username.as_str().to_owned(),
            username_canonical: reserves_canonical_name.then(|| new.username.canonical().to_owned()),
            email: new.email.as_ref().map(|email| email.email().as_str().to_owned()),
            email_canonical: login_email.map(|email| email.canonical().to_owned()),
            first_name: new.first_name.as_str().to_owned(),
            last_name: new.last_name.as_str().to_owned(),
            is_active: true,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            date_joined: new.date_joined.into(),
            email_verified_at: new.email_verified_at.map(Into::into),
            token_epoch: UnixTime::default().into(),
        }
    }
}

/// The changes to a profile; a field that is `None` is left unchanged.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
pub(crate) struct ProfileChangeRow {
    pub(crate) username: Option<String>,
    pub(crate) username_canonical: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_canonical: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
}

/// The password hash of an account.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = credentials)]
pub(crate) struct CredentialsRow {
    pub(crate) user_id: UserKey,
    pub(crate) password_hash: String,
    pub(crate) updated_at: DbTime,
}

/// A session as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct SessionRow {
    id: DbId,
    generation: i32,
    rotated_at: DbTime,
    created_at: DbTime,
    last_used_at: DbTime,
    expires_at: DbTime,
    absolute_expires_at: Option<DbTime>,
    revoked_at: Option<DbTime>,
    revoke_reason: Option<String>,
    amr: String,
    authenticated_at: Option<DbTime>,
    ip: Option<String>,
    user_agent: Option<String>,
}

impl SessionRow {
    /// The session and its user.
    pub(crate) fn with_user(self, user: UserRow) -> Result<SessionOfUser, Error> {
        let user = User::try_from(user)?;
        Ok(SessionOfUser { session: self.into_session(user.id.clone())?, user })
    }

    fn into_session(self, user_id: UserId) -> Result<Session, Error> {
        let generation = u32::try_from(self.generation).map_err(|error| Error::DeserializationError(error.into()))?;
        Ok(Session {
            id: self.id.into(),
            user_id,
            generation: Generation::new(generation),
            rotated_at: self.rotated_at.into(),
            created_at: self.created_at.into(),
            last_used_at: self.last_used_at.into(),
            expires_at: self.expires_at.into(),
            absolute_expires_at: self.absolute_expires_at.map(Into::into),
            revoked_at: self.revoked_at.map(Into::into),
            // A reason that only a later release knows is not an error; whether the session is revoked depends on the
            // time.
            revoke_reason: self.revoke_reason.as_deref().and_then(RevokeReason::from_name),
            amr: self.amr,
            authenticated_at: self.authenticated_at.unwrap_or(self.created_at).into(),
            client: ClientInfo { ip: self.ip, user_agent: self.user_agent },
        })
    }
}

/// A session as it is inserted.
#[derive(Insertable)]
#[diesel(table_name = sessions)]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct NewSessionRow {
    id: DbId,
    user_id: UserKey,
    generation: i32,
    rotated_at: DbTime,
    created_at: DbTime,
    last_used_at: DbTime,
    expires_at: DbTime,
    absolute_expires_at: Option<DbTime>,
    revoked_at: Option<DbTime>,
    revoke_reason: Option<&'static str>,
    amr: String,
    authenticated_at: DbTime,
    ip: Option<String>,
    user_agent: Option<String>,
    prune_at: DbTime,
}

impl NewSessionRow {
    /// The row of a session of the user with this key.
    pub(crate) fn new(user: UserKey, session: &Session) -> Result<Self, TryFromIntError> {
        Ok(Self {
            id: session.id.into(),
            user_id: user,
            generation: session.generation.get().try_into()?,
            rotated_at: session.rotated_at.into(),
            created_at: session.created_at.into(),
            last_used_at: session.last_used_at.into(),
            expires_at: session.expires_at.into(),
            absolute_expires_at: session.absolute_expires_at.map(Into::into),
            revoked_at: session.revoked_at.map(Into::into),
            revoke_reason: session.revoke_reason.map(RevokeReason::name),
            amr: session.amr.clone(),
            authenticated_at: session.authenticated_at.into(),
            ip: session.client.ip.clone(),
            user_agent: session.client.user_agent.clone(),
            prune_at: session.expires_at.into(),
        })
    }
}

/// The columns that a rotation changes. None of them is indexed.
#[derive(AsChangeset)]
#[diesel(table_name = sessions)]
pub(crate) struct NextGenerationRow {
    generation: i32,
    rotated_at: DbTime,
    last_used_at: DbTime,
    expires_at: DbTime,
}

impl TryFrom<NextGeneration> for NextGenerationRow {
    type Error = TryFromIntError;

    fn try_from(next: NextGeneration) -> Result<Self, TryFromIntError> {
        Ok(Self {
            generation: next.generation.get().try_into()?,
            rotated_at: next.rotated_at.into(),
            last_used_at: next.rotated_at.into(),
            expires_at: next.expires_at.into(),
        })
    }
}

/// A row of the blacklist.
#[derive(Insertable)]
#[diesel(table_name = blacklist)]
pub(crate) struct RefusedTokenRow {
    pub(crate) jti: String,
    pub(crate) expires_at: DbTime,
    pub(crate) reason: String,
}
