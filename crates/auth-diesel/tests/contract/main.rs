//! The contract of the storage ports on both databases, and what only a real database can show.
//!
//! Every trial is named for its database: `sqlite::…`, `postgres::…`. Those of PostgreSQL are ignored where there is
//! none (see `auth_tests::postgres`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "these are tests")]

mod behaviour;
mod contention;
mod database;
mod feeds;
mod later;
mod outages;
mod schema;
mod speed;
mod tables;

use std::sync::Arc;

use auth_conformance::storage_cases;
use auth_diesel::PoolSettings;
use auth_tests::postgres;
use libtest_mimic::{Arguments, Failed, Trial};

use database::{Database, Kind};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        trials.extend(storage_cases().into_iter().map(|case| {
            on(kind, case.name, async move |database| {
                let store = database.migrated(PoolSettings { size: 8, ..PoolSettings::default() }).await;
                (case.run)(Arc::new(store)).await;
            })
        }));
        trials.extend(behaviour::trials(kind));
        trials.extend(contention::trials(kind));
        trials.extend(feeds::trials(kind));
        trials.extend(later::trials(kind));
        trials.extend(schema::trials(kind));
        trials.extend(tables::trials(kind));
        trials.extend(speed::trials(kind));
    }
    trials.extend(behaviour::sqlite_trials());
    trials.extend(outages::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

/// A trial with a fresh, empty database of this kind.
fn on<F>(kind: Kind, name: &str, run: impl FnOnce(Arc<Database>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("{kind}::{name}");
    let run = move || {
        run_async(run(Arc::new(Database::fresh(kind))));
        Ok(())
    };
    match kind {
        Kind::Sqlite => Trial::test(name, run),
        Kind::Postgres => postgres::trial(name, run),
    }
}

/// Runs a trial on a runtime of its own. A thread of a job that still waits for a database does not hold it up.
fn run_async(trial: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(trial);
    runtime.shutdown_background();
}

/// A trial that starts PostgreSQL servers of its own.
fn on_clusters<F>(name: &str, run: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    postgres::cluster_trial(format!("postgres::{name}"), move || -> Result<(), Failed> {
        run_async(run());
        Ok(())
    })
}
