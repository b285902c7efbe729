//! The contract kit on both databases, and the behaviour of `auth-diesel` beyond the contract.
//!
//! The name of each trial begins with its database: `sqlite::…`, `postgres::…`. Without a PostgreSQL server the trials
//! on PostgreSQL are ignored; see `auth_tests::postgres`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "these are tests")]

mod application_tables;
mod contention;
mod database;
mod database_outages;
mod diesel_store;
mod feeds;
mod groups;
mod migrations;
mod refresh_throughput;
mod rows_of_later_releases;

use std::sync::Arc;

use auth_conformance::storage_cases;
use auth_diesel::PoolSettings;
use auth_tests::postgres;
use libtest_mimic::{Arguments, Failed, Trial};

use database::{Database, Kind};

/// How many trials run at once unless the command line sets it; most of them wait rather than compute.
const TEST_THREADS: usize = 6;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TEST_THREADS);
    let mut trials = Vec::new();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        trials.extend(storage_cases().into_iter().map(|case| {
            on_reused(kind, case.name, async move |database| {
                let store = database.store(PoolSettings { size: 8, ..PoolSettings::default() }).await;
                case.run(Arc::new(store)).await;
            })
        }));
        trials.extend(diesel_store::trials(kind));
        trials.extend(contention::trials(kind));
        trials.extend(feeds::trials(kind));
        trials.extend(groups::trials(kind));
        trials.extend(rows_of_later_releases::trials(kind));
        trials.extend(migrations::trials(kind));
        trials.extend(application_tables::trials(kind));
        trials.extend(refresh_throughput::trials(kind));
    }
    trials.extend(diesel_store::sqlite_trials());
    trials.extend(database_outages::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    postgres::drop_kept_databases();
    conclusion.exit();
}

/// A trial on a database of its own, migrated and without rows.
fn on<F>(kind: Kind, name: &str, run: impl FnOnce(Arc<Database>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    on_database(kind, Database::migrated, name, run)
}

/// A trial of the contract on a migrated database without rows. The trial uses only the ports, so another one can reuse
/// the database after it.
fn on_reused<F>(kind: Kind, name: &str, run: impl FnOnce(Arc<Database>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    on_database(kind, Database::reused, name, run)
}

/// A trial on a database of its own without tables.
fn on_empty<F>(kind: Kind, name: &str, run: impl FnOnce(Arc<Database>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    on_database(kind, Database::empty, name, run)
}

fn on_database<F>(
    kind: Kind,
    create: fn(Kind) -> Database,
    name: &str,
    run: impl FnOnce(Arc<Database>) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("{kind}::{name}");
    let run = move || {
        run_async(run(Arc::new(create(kind))));
        Ok(())
    };
    match kind {
        Kind::Sqlite => Trial::test(name, run),
        Kind::Postgres => postgres::trial(name, run),
    }
}

/// Runs a trial on a runtime of its own. Does not wait for blocking threads that still wait for a database.
fn run_async(trial: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(trial);
    runtime.shutdown_background();
}

/// A trial that starts its own PostgreSQL servers.
fn on_clusters<F>(name: &str, run: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    postgres::cluster_trial(format!("postgres::{name}"), move || -> Result<(), Failed> {
        run_async(run());
        Ok(())
    })
}
