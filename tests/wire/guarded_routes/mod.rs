//! Guarded routes of the example blog: malformed headers, invalidation, unreachable databases, and keys of another issuer.

mod application_migrations;
mod auth_cache;
mod authorization_header;
mod database_outage;
mod external_issuer;
mod external_keys;
mod fixture;
mod invalidation;
mod routes_and_refusals;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let topics = [
        application_migrations::trials,
        auth_cache::trials,
        authorization_header::trials,
        database_outage::trials,
        external_keys::trials,
        invalidation::trials,
        routes_and_refusals::trials,
    ];
    topics.into_iter().flat_map(|trials| trials()).collect()
}
