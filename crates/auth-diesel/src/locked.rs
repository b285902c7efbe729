//! The row of an account as a lock. A write of more than one statement locks it first, so that calls for one account
//! queue there on both databases and cannot deadlock.

use auth_accounts::account::Email;
use auth_accounts::ports::OwnerAsRead;
use auth_core::user::{SecurityStamp, UserId};
use diesel::prelude::*;

use crate::connection::{AnyConnection, MultiBackend};
use crate::keys::{UserKey, for_user};
use crate::schema::users;
use crate::types::DbTime;

/// The state of an account, fixed until the end of the transaction that locked it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct LockedAccount {
    pub(crate) id: UserKey,
    pub(crate) email: Option<String>,
    /// `None` if the account has no email address, or one that is not a login name.
    pub(crate) email_canonical: Option<String>,
    pub(crate) is_active: bool,
    pub(crate) email_verified_at: Option<DbTime>,
    pub(crate) token_epoch: DbTime,
    pub(crate) first_factor_at: Option<DbTime>,
    pub(crate) multi_factor_since: Option<DbTime>,
    security_stamp: i64,
}

impl LockedAccount {
    pub(crate) const fn stamp(&self) -> SecurityStamp {
        SecurityStamp::new(self.security_stamp)
    }

    /// Whether the security stamp is the required one, if one is required.
    pub(crate) fn has_stamp(&self, only_at: Option<SecurityStamp>) -> bool {
        only_at.is_none_or(|stamp| stamp == self.stamp())
    }

    /// Whether this email address is a login name of the account.
    pub(crate) fn logs_in_with(&self, email: &Email) -> bool {
        self.email_canonical.as_deref() == Some(email.canonical())
    }

    /// Whether the account is unchanged since it was read.
    pub(crate) fn is_unchanged(&self, owner: &OwnerAsRead) -> bool {
        self.is_active && self.email == owner.email && self.stamp() == owner.security_stamp
    }
}

/// Locks an account until the end of the transaction; `None` if there is no such account.
///
/// The lock is an update that changes nothing: the one way to lock a row that both databases support. The triggers do
/// not report it as a change.
pub(crate) fn lock_account(connection: &mut AnyConnection, user: &UserId) -> QueryResult<Option<LockedAccount>> {
    for_user!(user, rows => {
        diesel::update(rows)
            .set(users::token_epoch.eq(users::token_epoch))
            .returning(<LockedAccount as Selectable<MultiBackend>>::construct_selection())
            .get_result(connection)
            .optional()
    })
}

/// Like [`lock_account`], for a user whose key is known; `false` if there is no such user.
pub(crate) fn lock_row(connection: &mut AnyConnection, key: UserKey) -> QueryResult<bool> {
    let locked = diesel::update(users::table.find(key)).set(users::token_epoch.eq(users::token_epoch));
    Ok(locked.execute(connection)? == 1)
}

/// Advances the security stamp of an account, in every write that changes its rights, password, second factors or email
/// address.
#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn next_stamp() -> _ {
    users::security_stamp.eq(users::security_stamp + 1_i64)
}

/// Like [`next_stamp`], as a statement of its own, for a locked account.
pub(crate) fn advance_stamp(connection: &mut AnyConnection, user: UserKey) -> QueryResult<usize> {
    diesel::update(users::table.find(user)).set(next_stamp()).execute(connection)
}
