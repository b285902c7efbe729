//! The mapping from user IDs to rows. An integer ID is the primary key of the row, unless that row has an
//! `external_id`: then the user has that ID, and the key is internal to this crate.

use auth_core::user::UserId;
use diesel::dsl::auto_type;
use diesel::prelude::*;

use crate::connection::AnyConnection;
use crate::error::unreadable;
use crate::schema::users;

/// The primary key of a user's row.
pub(crate) type UserKey = i64;

/// Whether a row belongs to the user with this ID.
#[auto_type(no_type_alias)]
pub(crate) fn has_id(id: &UserId) -> _ {
    let integer: Option<i64> = id.as_integer();
    let other: Option<String> = external_id(id);
    // One of the two is NULL, which equals nothing.
    let is_integer = users::id.nullable().eq(integer).and(users::external_id.is_null());
    is_integer.or(users::external_id.eq(other)).assume_not_null()
}

/// The value of the column `external_id` for a user ID.
pub(crate) fn external_id(id: &UserId) -> Option<String> {
    match id {
        UserId::Integer(_) => None,
        UserId::Uuid(_) | UserId::String(_) => Some(id.to_string()),
    }
}

/// The user ID from the columns of its row.
pub(crate) fn user_id(key: UserKey, external_id: Option<&str>) -> QueryResult<UserId> {
    match external_id.map(UserId::parse) {
        None => Ok(UserId::Integer(key)),
        Some(Ok(id @ (UserId::Uuid(_) | UserId::String(_)))) => Ok(id),
        Some(_) => Err(unreadable("a user ID")),
    }
}

/// The key of the user with this ID.
pub(crate) fn key_of(connection: &mut AnyConnection, id: &UserId) -> QueryResult<Option<UserKey>> {
    users::table.filter(has_id(id)).select(users::id).get_result(connection).optional()
}
