//! The tutorials, from their first line to their last, at the example blog: each file is one walk-through, with the same
//! requests and the answers that a newcomer is promised.

mod fixture;
mod log_out_of_one_and_of_all;
mod posts_by_owner_admin_and_stranger;
mod refresh_once;
mod register_and_call_a_protected_path;
mod roles_and_profile;

use auth_tests::cases::OnSqlite;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let name = |file| format!("tutorials::{file}");
    [
        OnSqlite.trials(name("register_and_call_a_protected_path"), register_and_call_a_protected_path::walk_through),
        OnSqlite.trials(name("refresh_once"), refresh_once::walk_through),
        OnSqlite.trials(name("log_out_of_one_and_of_all"), log_out_of_one_and_of_all::walk_through),
        OnSqlite.trials(name("posts_by_owner_admin_and_stranger"), posts_by_owner_admin_and_stranger::walk_through),
        OnSqlite.trials(name("roles_and_profile"), roles_and_profile::walk_through),
    ]
    .into_iter()
    .flatten()
    .collect()
}
