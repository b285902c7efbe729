//! Races, crashes, outages, stop signals and logs of a running server.
//!
//! Each case has its own server processes. Requests start together; kills follow a number of requests.

mod connections;
mod database_outage;
mod fixture;
mod kill_under_load;
mod logs;
mod races;
mod refresh_ledger;
mod refused_starts;
mod start_and_stop;
mod table_lock;
mod user_ids;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let topics = [
        connections::trials,
        kill_under_load::trials,
        start_and_stop::trials,
        logs::trials,
        database_outage::trials,
        races::trials,
        refused_starts::trials,
        user_ids::trials,
    ];
    topics.into_iter().flat_map(|trials| trials()).collect()
}
