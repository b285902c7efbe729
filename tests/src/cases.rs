//! How a function becomes a trial: [`cases!`](macro@crate::cases) with what it runs on.
//!
//! ```ignore
//! cases![
//!     OnBothDatabases => one_of_many_rotations_wins;   // async fn(Database): two trials
//!     OnSqlite => a_reset_ends_every_session;          // async fn(Database)
//!     Once => the_help_names_every_command;            // async fn()
//!     servers.development => names_have_no_line_breaks // async fn(&T), on a server that cases share
//! ]
//! ```
//!
//! A trial is named for the module and the function, and for the database or the server where there are several:
//! `email::password_reset::a_reset_ends_every_session`.
#![expect(clippy::expect_used, reason = "tests cannot run without a runtime")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, OnceLock};

use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::database::{Database, DatabaseKind};
use crate::postgres;

/// One runtime for all trials: connections that a client keeps live on it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Makes the trials of a topic of functions; see [`cases`](mod@crate::cases).
#[macro_export]
macro_rules! cases {
    ($($on:expr => $($case:ident),+ $(,)?);+ $(;)?) => {
        [$($($on.trials($crate::cases::name(module_path!(), stringify!($case)), $case),)+)+]
            .into_iter()
            .flatten()
            .collect::<::std::vec::Vec<_>>()
    };
}

/// The name of a trial: the path of the function in its executable.
pub fn name(module: &str, case: &str) -> String {
    let path = module.split_once("::").map_or("", |(_, path)| path);
    format!("{path}::{case}")
}

/// For a case that brings what it needs, and that no database makes a difference to.
#[derive(Clone, Copy, Debug)]
pub struct Once;

/// For a case with a SQLite file of its own, that no other database makes a difference to.
#[derive(Clone, Copy, Debug)]
pub struct OnSqlite;

/// For a case about PostgreSQL, with a database of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnPostgres;

/// For a case that the database can make a difference to: run on each, with a database of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnBothDatabases;

/// For a case about migrations: run on each database, without any tables in it.
#[derive(Clone, Copy, Debug)]
pub struct OnBothEmptyDatabases;

/// For a case that starts, stops and restarts PostgreSQL servers of its own.
#[derive(Clone, Copy, Debug)]
pub struct OnCluster;

impl OnCluster {
    /// The trial.
    pub fn trials(self, name: String, case: impl AsyncFn() + Send + 'static) -> Vec<Trial> {
        vec![postgres::cluster_trial(name, move || {
            RUNTIME.block_on(case());
            Ok(())
        })]
    }
}

impl Once {
    /// The trial.
    pub fn trials(self, name: String, case: impl AsyncFn() + Send + 'static) -> Vec<Trial> {
        vec![trial(None, name, move || RUNTIME.block_on(case()))]
    }
}

impl OnSqlite {
    /// The trial.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Send + 'static) -> Vec<Trial> {
        vec![on(DatabaseKind::Sqlite, Database::new, name, case)]
    }
}

impl OnPostgres {
    /// The trial.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Send + 'static) -> Vec<Trial> {
        vec![on(DatabaseKind::Postgres, Database::new, format!("{name}::postgres"), case)]
    }
}

impl OnBothDatabases {
    /// The two trials.
    pub fn trials(self, name: String, case: impl AsyncFn(Database) + Copy + Send + 'static) -> Vec<Trial> {
        DatabaseKind::ALL.map(|kind| on(kind, Database::new, format!("{name}::{kind}"), case)).into()
    }
}

impl OnBothEmptyDatabases {
    /// The two trials.
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

/// A server that many cases use at the same time, each with users of its own. It is started when the first of them runs,
/// and ends with this value.
pub struct Shared<T> {
    name: &'static str,
    kind: DatabaseKind,
    start: Box<dyn Fn(Database) -> T + Send + Sync>,
    started: OnceLock<Option<T>>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Something that `start` starts on a database of its own. Trials on it have the name in theirs.
    pub fn new(
        name: &'static str,
        kind: DatabaseKind,
        start: impl Fn(Database) -> T + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { name, kind, start: Box::new(start), started: OnceLock::new() })
    }

    /// Starts it if it is not started yet. Panics if it does not start, and does not try again for the next case.
    pub fn get(&self) -> &T {
        let start = || catch_unwind(AssertUnwindSafe(|| (self.start)(Database::new(self.kind)))).ok();
        self.started.get_or_init(start).as_ref().expect("the shared server does not start; see the panic above")
    }

    /// The trial.
    pub fn trials(self: &Arc<Self>, name: String, case: impl AsyncFn(&T) + Send + 'static) -> Vec<Trial> {
        let shared = Arc::clone(self);
        let run = move || RUNTIME.block_on(case(shared.get()));
        vec![trial(Some(self.kind), format!("{name}::{}", self.name), run)]
    }
}
