//! The command line: the output and exit code of each command, and its effect on a running server.

mod aliases;
mod configuration;
mod fixture;
mod healthcheck;
mod migrate_and_flush;
mod outbox;
mod settings_from_simplejwt;
mod signing_keys;
mod superusers;
mod usage;
mod users;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let topics = [
        aliases::trials,
        configuration::trials,
        healthcheck::trials,
        migrate_and_flush::trials,
        outbox::trials,
        settings_from_simplejwt::trials,
        signing_keys::trials,
        superusers::trials,
        usage::trials,
        users::trials,
    ];
    topics.into_iter().flat_map(|trials| trials()).collect()
}
