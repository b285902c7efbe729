//! What is replayed against: a service on some storage.

use std::sync::OnceLock;

#[cfg(feature = "server")]
use auth_tests::postgres::{TestDatabase, fresh_database};
#[cfg(feature = "server")]
use auth_tests::server::{Server, ServerOptions};

use crate::memory::InProcess;

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
    target: OnceLock<Box<dyn Target>>,
}

impl Database {
    const fn new(name: &'static str, start: fn() -> Box<dyn Target>) -> Self {
        Self { name, start, target: OnceLock::new() }
    }

    /// All there are.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::new("memory", || Box::new(InProcess::start())),
            #[cfg(feature = "server")]
            Self::new("sqlite", || Box::new(Process::start(None))),
            #[cfg(feature = "server")]
            Self::new("postgres", || Box::new(Process::start(Some(fresh_database())))),
        ]
    }

    /// The service on it.
    pub(crate) fn target(&self) -> &dyn Target {
        self.target.get_or_init(self.start).as_ref()
    }
}

/// The program itself. Ends before its database goes.
#[cfg(feature = "server")]
struct Process {
    server: Server,
    _database: Option<TestDatabase>,
}

#[cfg(feature = "server")]
impl Process {
    fn start(database: Option<TestDatabase>) -> Self {
        let options = ServerOptions::new("simplejwt", database.as_ref().map(TestDatabase::url));
        let server = options.env("AUTH__HTTP__ALIASES", "true").start(env!("CARGO_BIN_EXE_server-under-test"));
        Self { server, _database: database }
    }
}

#[cfg(feature = "server")]
impl Target for Process {
    fn url(&self) -> String {
        self.server.url()
    }

    fn users(&self, action: &str, name: &str) -> Result<(), String> {
        let output = self.server.run(["users", action, name]);
        let complaint = || format!("users {action} {name}: {}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(()) } else { Err(complaint()) }
    }
}
