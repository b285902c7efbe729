//! The tutorials, from their first line to their last, at the example `blog`: each file is one walk-through, with the same
//! requests and the answers that a newcomer is promised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test has no better answer")]

mod log_out_of_one_and_of_all;
mod posts_by_owner_admin_and_stranger;
mod refresh_and_spend;
mod register_and_call_a_protected_path;
mod roles_and_profile;
mod visitor;

use libtest_mimic::{Arguments, Trial};
use visitor::Visitor;

/// Its name, and how it goes.
type Story = (&'static str, fn(&Visitor));

fn main() {
    let arguments = Arguments::from_args();
    let stories: [Story; 5] = [
        ("register_and_call_a_protected_path", register_and_call_a_protected_path::story),
        ("refresh_and_spend", refresh_and_spend::story),
        ("log_out_of_one_and_of_all", log_out_of_one_and_of_all::story),
        ("posts_by_owner_admin_and_stranger", posts_by_owner_admin_and_stranger::story),
        ("roles_and_profile", roles_and_profile::story),
    ];
    let tell = |(name, story): Story| {
        Trial::test(name, move || {
            story(&Visitor::of_a_new_blog());
            Ok(())
        })
    };
    libtest_mimic::run(&arguments, stories.into_iter().map(tell).collect()).exit();
}
