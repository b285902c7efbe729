//! The tutorials, step by step, on the example blog: each file sends the requests of one tutorial and expects its answers.

mod exchange_a_refresh_token;
mod fixture;
mod log_out_of_one_or_all_sessions;
mod posts_and_permissions;
mod register_and_call_a_protected_path;
mod roles_and_profile;

use auth_tests::cases::OnSqlite;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let name = |file| format!("tutorials::{file}");
    [
        OnSqlite.trials(name("register_and_call_a_protected_path"), register_and_call_a_protected_path::walk_through),
        OnSqlite.trials(name("exchange_a_refresh_token"), exchange_a_refresh_token::walk_through),
        OnSqlite.trials(name("log_out_of_one_or_all_sessions"), log_out_of_one_or_all_sessions::walk_through),
        OnSqlite.trials(name("posts_and_permissions"), posts_and_permissions::walk_through),
        OnSqlite.trials(name("roles_and_profile"), roles_and_profile::walk_through),
    ]
    .into_iter()
    .flatten()
    .collect()
}
