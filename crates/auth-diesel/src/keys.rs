//! The mapping from user IDs to rows. An integer ID is the primary key of the row, unless that row has an
//! `external_id`: then the user has that ID, and the key is internal to this crate.

use auth_core::user::UserId;
use diesel::prelude::*;

use crate::connection::AnyConnection;
use crate::error::unreadable;
use crate::schema::users;

/// The primary key of a user's row.
pub(crate) type UserKey = i64;

/// Runs one expression with `$rows`, the row of the user with this ID, if there is one. Each kind of ID has a statement of its
/// own: PostgreSQL would plan one with `OR` again for each execution, because the plan depends on which side is NULL.
macro_rules! for_user {
    ($id:expr, $rows:ident => $run:expr) => {{
        use ::diesel::prelude::{ExpressionMethods as _, QueryDsl as _};
        let id: &::auth_core::user::UserId = $id;
        match id.as_integer() {
            Some(key) => {
                let $rows = $crate::schema::users::table
                    .filter($crate::schema::users::id.eq(key))
                    .filter($crate::schema::users::external_id.is_null());
                $run
            }
            None => {
                let $rows = $crate::schema::users::table
                    .filter($crate::schema::users::external_id.eq($crate::keys::external_id(id)));
                $run
            }
        }
    }};
}
pub(crate) use for_user;

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
    for_user!(id, rows => rows.select(users::id).get_result(connection).optional())
}
