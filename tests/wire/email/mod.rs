//! Accounts and emails, end to end: a server process, a mock SMTP server, and users who read their emails.

mod code_guessing;
mod email_addresses;
mod email_injection;
mod fixture;
mod notices;
mod outbox_delivery;
mod password_change;
mod password_reset;
mod rate_limits;
mod registrations;
mod second_factors;
mod session_limit;

use libtest_mimic::Trial;

pub(crate) use fixture::SharedServers;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let topics = [
        code_guessing::trials,
        email_addresses::trials,
        email_injection::trials,
        notices::trials,
        outbox_delivery::trials,
        password_change::trials,
        password_reset::trials,
        rate_limits::trials,
        registrations::trials,
        second_factors::trials,
        session_limit::trials,
    ];
    topics.into_iter().flat_map(|trials| trials(servers)).collect()
}
