//! What is replayed against: a service on some storage.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use crate::memory::InProcess;
#[cfg(feature = "server")]
use crate::process::Process;

/// A running service in the profile `simplejwt`, with the other spellings of the paths, that signs with
/// [`SIGNING_KEY`](auth_tests::server::SIGNING_KEY).
pub(crate) trait Target: Send + Sync {
    /// `http://ADDRESS:PORT`, without a slash at its end.
    fn url(&self) -> String;
    /// What the command `users ACTION NAME` does.
    fn users(&self, action: &str, name: &str) -> Result<(), String>;
}

/// A storage, and the service on it: started when it is first needed.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    start: fn() -> Box<dyn Target>,
    target: OnceLock<Option<Box<dyn Target>>>,
}

impl Database {
    const fn new(name: &'static str, start: fn() -> Box<dyn Target>) -> Self {
        Self { name, start, target: OnceLock::new() }
    }

    /// All there are; without the feature `server`, those that need no server process.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::new("memory", || Box::new(InProcess::start())),
            #[cfg(feature = "server")]
            Self::new("sqlite", || Box::new(Process::on_sqlite())),
            #[cfg(feature = "server")]
            Self::new("postgres", || Box::new(Process::on_postgres())),
        ]
    }

    /// The service on it. One that does not start is not tried again for each row.
    pub(crate) fn target(&self) -> Result<&dyn Target, String> {
        let target = self.target.get_or_init(|| catch_unwind(self.start).ok());
        target.as_deref().ok_or_else(|| format!("the service on {} did not start; see the panic above", self.name))
    }
}
