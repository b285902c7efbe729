//! Second factors: enrolment, login, recovery and removal.

mod bypass_attempts;
mod challenges;
mod email_codes;
mod malformed_codes;
mod recovery_codes;
mod removal;
mod required_factors;
mod totp;
pub(crate) mod users;

use libtest_mimic::Trial;

use super::SharedServers;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let topics = [
        email_codes::trials,
        totp::trials,
        recovery_codes::trials,
        removal::trials,
        required_factors::trials,
        bypass_attempts::trials,
        challenges::trials,
        malformed_codes::trials,
    ];
    topics.into_iter().flat_map(|trials| trials(servers)).collect()
}
