//! What is replayed against: a service on some storage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use crate::contract::in_process_server::InProcess;
use crate::contract::recording::Row;
use crate::contract::server_process::Process;
use crate::contract::variant::{VARIANTS, Variant};

/// A running service in the profile `simplejwt`, with the other spellings of the paths and the settings of a variant.
pub(crate) trait Target: Send + Sync {
    /// `http://ADDRESS:PORT`, without a slash at its end.
    fn url(&self) -> String;
    /// What the command `users ACTION NAME` does.
    fn users(&self, action: &str, name: &str) -> Result<(), String>;
}

type Start = fn(&Variant) -> Box<dyn Target>;

/// A storage, and the services on it: each is started when it is first needed.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    /// Which rows are replayed on it.
    plays: fn(&Row) -> bool,
    start: Start,
    /// As [`VARIANTS`] has them.
    targets: Vec<OnceLock<Option<Box<dyn Target>>>>,
}

impl Database {
    fn new(name: &'static str, plays: fn(&Row) -> bool, start: Start) -> Self {
        Self { name, plays, start, targets: VARIANTS.iter().map(|_| OnceLock::new()).collect() }
    }

    /// All there are; without the feature `server`, those that need no server process.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            // Has no posts.
            Self::new("memory", |row| is_usual(row) && row.area != "posts", |_| Box::new(InProcess::start())),
            Self::new("sqlite", |_| true, |variant| Box::new(Process::on_sqlite(variant))),
            Self::new("postgres", is_usual, |variant| Box::new(Process::on_postgres(variant))),
        ]
    }

    pub(crate) fn plays(&self, row: &Row) -> bool {
        (self.plays)(row)
    }

    /// The service on it that a row is about, and its settings. One that does not start is not tried again for each
    /// row.
    pub(crate) fn target(&self, row: &Row) -> Result<(&dyn Target, &'static Variant), String> {
        let position = Variant::position_of(row)?;
        let variant = &VARIANTS[position];
        let start = || catch_unwind(AssertUnwindSafe(|| (self.start)(variant))).ok();
        let target = self.targets[position].get_or_init(start).as_deref();
        let complaint = || format!("the service on {} did not start; see the panic above", self.name);
        target.map(|target| (target, variant)).ok_or_else(complaint)
    }
}

fn is_usual(row: &Row) -> bool {
    !row.area.starts_with("variant")
}
