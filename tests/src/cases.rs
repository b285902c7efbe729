//! Turns functions into trials: [`cases!`](macro@crate::cases), with what each function runs on.
//!
//! ```ignore
//! cases![
//!     OnBothDatabases => one_of_many_rotations_wins;     // async fn(Database): two trials
//!     OnSqlite => a_reset_revokes_every_session;         // async fn(Database)
//!     Once => help_lists_every_command;                  // async fn()
//!     servers.development => accepts_long_names; // async fn(&T), on a server shared by several cases
//! ]
//! ```
//!
//! The name of a trial is the path of the function, with the database or server appended where there are several:
//! `email::password_reset::a_reset_revokes_every_session`.
#![expect(clippy::expect_used, reason = "tests cannot run without a runtime")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, OnceLock};

use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::database::{Database, DatabaseKind};
use crate::postgres;

/// One runtime for all trials: pooled connections of a client belong to the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Turns functions into trials; see [`cases`](mod@crate::cases).
#[macro_export]
macro_rules! cases {
    ($($on:expr => $($case:ident),+ $(,)?);+ $(;)?) => {
        [$($($on.trials($crate::cases::name(module_path!(), stringify!($case)), $case),)+)+]
            .into_iter()
            .flatten()
            .collect::<::std::vec::Vec<_>>()
    };
}

/// Returns the name of a trial: the path of the function without the name of its crate.
pub fn name(module: &str, case: &str) -> String {
    let path = module.split_once("::").map_or("", |(_, path)| path);
    format!("{path}::{case}")
}

/// Runs a case without a database.
#[derive(Clone, Copy, Debug)]
pub struct Once;

/// Runs a case on a SQLite database of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnSqlite;

/// Runs a case on a PostgreSQL database of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnPostgres;

/// Runs a case once for each kind of database, on a database of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnBothDatabases;

/// Runs a case once for each kind of database, on a database without tables.
#[derive(Clone, Copy, Debug)]
pub struct OnBothEmptyDatabases;

/// Runs a case that starts, stops and restarts its own PostgreSQL servers.
#[derive(Clone, Copy, Debug)]
pub struct OnCluster;

impl OnCluster {
    /// Returns the trial.
    pub fn trials(self, name: String, case: impl AsyncFn() + Send + 'static) -> Vec<Trial> {
        vec![postgres::cluster_trial(name, move || {
            RUNTIME.block_on(case());
            Ok(())
        })]
    }
}

impl Once {
    /// Returns the trial.
    pub fn trials(self, name: String, case: impl AsyncFn() + Send + 'static) -> Vec<Trial> {
        vec![trial(None, name, move || RUNTIME.block_on(case()))]
    }
}

impl OnSqlite {
    /// Returns the trial.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Send + 'static) -> Vec<Trial> {
        vec![on(DatabaseKind::Sqlite, Database::new, name, case)]
    }
}

impl OnPostgres {
    /// Returns the trial.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Send + 'static) -> Vec<Trial> {
        vec![on(DatabaseKind::Postgres, Database::new, format!("{name}::postgres"), case)]
    }
}

impl OnBothDatabases {
    /// Returns both trials.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Copy + Send + 'static) -> Vec<Trial> {
        DatabaseKind::ALL.map(|kind| on(kind, Database::new, format!("{name}::{kind}"), case)).into()
    }
}

impl OnBothEmptyDatabases {
    /// Returns both trials.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Copy + Send + 'static) -> Vec<Trial> {
        DatabaseKind::ALL.map(|kind| on(kind, Database::empty, format!("{name}::{kind}"), case)).into()
    }
}

fn on(
    kind: DatabaseKind,
    create: fn(DatabaseKind) -> Database,
    name: String,
    case: impl AsyncFn(Database) + Send + 'static,
) -> Trial {
    trial(Some(kind), name, move || RUNTIME.block_on(case(create(kind))))
}

fn trial(kind: Option<DatabaseKind>, name: String, run: impl FnOnce() + Send + 'static) -> Trial {
    let run = move || {
        run();
        Ok(())
    };
    if kind == Some(DatabaseKind::Postgres) { postgres::trial(name, run) } else { Trial::test(name, run) }
}

/// A server that several cases use concurrently, each with its own users. It starts when the first of them runs and stops
/// when this value is dropped.
pub struct Shared<T> {
    name: &'static str,
    kind: DatabaseKind,
    start: Box<dyn Fn(Database) -> T + Send + Sync>,
    started: OnceLock<Option<T>>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Creates a server that `start` will start on a database of its own; `name` becomes part of the names of its trials.
    pub fn new(
        name: &'static str,
        kind: DatabaseKind,
        start: impl Fn(Database) -> T + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name, kind, start: Box::new(start), started: OnceLock::new() })
    }

    /// Starts the server on the first call. Panics if it does not start, without a second attempt for the next case.
    pub fn get(&self) -> &T {
        let start = || catch_unwind(AssertUnwindSafe(|| (self.start)(Database::new(self.kind)))).ok();
        self.started.get_or_init(start).as_ref().expect("the shared server did not start; see the panic above")
    }

    /// Returns the trial.
    pub fn trials(self: &Arc<Self>, name: String, case: impl AsyncFn(&T) + Send + 'static) -> Vec<Trial> {
        let shared = Arc::clone(self);
        let run = move || RUNTIME.block_on(case(shared.get()));
        vec![trial(Some(self.kind), format!("{name}::{}", self.name), run)]
    }
}
