//! Second factors, from the day they are switched on to the day they are lost.

mod authenticators;
mod by_mail;
mod detours;
mod oddities;
pub(crate) mod people;
mod recovery_codes;
mod removal;
mod required;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let topics = [
        by_mail::trials,
        authenticators::trials,
        recovery_codes::trials,
        removal::trials,
        required::trials,
        detours::trials,
        oddities::trials,
    ];
    topics.into_iter().flat_map(|trials| trials()).collect()
}
