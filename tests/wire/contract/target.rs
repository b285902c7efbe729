//! The services to replay against, on each storage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::contract::in_process_server::InProcess;
use crate::contract::recording::Row;
use crate::contract::server_process::Process;
use crate::contract::variant::{VARIANTS, Variant};

/// A running service with the profile `simplejwt`, aliases of paths, and the settings of a variant.
pub(crate) trait Target: Send + Sync {
    /// Returns `http://ADDRESS:PORT`, without a trailing slash.
    fn url(&self) -> String;
    /// Does what the command `users ACTION NAME` does.
    fn users(&self, action: &str, name: &str) -> Result<(), String>;
}

type Start = fn(&Variant) -> Box<dyn Target>;

/// A storage with its services, each of which starts when it is first needed.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    /// Selects the rows that are replayed on it.
    selects: fn(&Row) -> bool,
    start: Start,
    /// One per entry of [`VARIANTS`].
    targets: Vec<OnceLock<Option<Box<dyn Target>>>>,
}

impl Database {
    fn new(name: &'static str, selects: fn(&Row) -> bool, start: Start) -> Self {
        Self { name, selects, start, targets: VARIANTS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Returns all storages.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            // Without posts.
            Self::new("memory", |row| has_usual_settings(row) && row.area != "posts", |_| Box::new(InProcess::start())),
            Self::new("sqlite", |_| true, |variant| Box::new(Process::on_sqlite(variant))),
            Self::new("postgres", has_usual_settings, |variant| Box::new(Process::on_postgres(variant))),
        ]
    }

    pub(crate) fn selects(&self, row: &Row) -> bool {
        (self.selects)(row)
    }

    /// Returns the service for a row, with its settings. A service that did not start is not started again for other rows.
    pub(crate) fn target(&self, row: &Row) -> Result<(&dyn Target, &'static Variant), String> {
        let position = Variant::position_of(row)?;
        let variant = &VARIANTS[position];
        let start = || catch_unwind(AssertUnwindSafe(|| (self.start)(variant))).ok();
        let target = self.targets[position].get_or_init(start).as_deref();
        let error = || format!("the service on {} did not start; see the panic above", self.name);
        target.map(|target| (target, variant)).ok_or_else(error)
    }
}

fn has_usual_settings(row: &Row) -> bool {
    !row.area.starts_with("variant")
}
