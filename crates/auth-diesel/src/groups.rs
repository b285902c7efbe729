//! The groups of users: the memberships, and the copy of the group names in the row of each user.

use std::collections::BTreeSet;

use auth_core::user::GroupName;
use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::connection::{AnyConnection, on_either};
use crate::keys::UserKey;
use crate::schema::{groups, user_groups};

/// Separates two names in the copy. No group name contains it.
pub(crate) const SEPARATOR: char = '\n';

/// The group names in the form of `users.group_names`: sorted by their bytes, as the triggers write them.
pub(crate) fn copied_names(groups: &BTreeSet<GroupName>) -> String {
    groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

/// The IDs of these groups. Creates those that do not exist, and locks all of them until the end of the transaction, so
/// that none is renamed or deleted meanwhile.
pub(crate) fn lock_groups(connection: &mut AnyConnection, names: &BTreeSet<GroupName>) -> QueryResult<Vec<i64>> {
    // Always in the order of their names, so that two calls cannot deadlock.
    names.iter().map(|name| lock_group(connection, name)).collect()
}

fn lock_group(connection: &mut AnyConnection, name: &GroupName) -> QueryResult<i64> {
    let new = groups::name.eq(name.as_str());
    on_either!(connection, connection => {
        diesel::insert_into(groups::table)
            .values(new)
            .on_conflict(groups::name)
            .do_update()
            .set(groups::name.eq(excluded(groups::name)))
            .returning(groups::id)
            .get_result(connection)
    })
}

/// Makes a user a member of the groups with these IDs and of no others. If the copy of the names is written first, the
/// triggers leave it unchanged.
pub(crate) fn replace_groups(connection: &mut AnyConnection, user: UserKey, ids: &[i64]) -> QueryResult<()> {
    let own = user_groups::table.filter(user_groups::user_id.eq(user));
    diesel::delete(own.filter(user_groups::group_id.ne_all(ids))).execute(connection)?;
    for id in ids {
        let member = (user_groups::user_id.eq(user), user_groups::group_id.eq(*id));
        on_either!(connection, connection => {
            diesel::insert_into(user_groups::table).values(member).on_conflict_do_nothing().execute(connection)?
        });
    }
    Ok(())
}
