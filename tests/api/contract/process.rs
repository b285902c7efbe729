//! The program itself, in a process of its own, on a database.

use auth_tests::postgres::{TestDatabase, fresh_database};
use auth_tests::server::{Server, ServerOptions};

use crate::target::Target;

/// A server, and its database if that has to be dropped after it.
pub(crate) struct Process {
    server: Server,
    _database: Option<TestDatabase>,
}

impl Process {
    pub(crate) fn on_sqlite() -> Self {
        Self::start(None)
    }

    pub(crate) fn on_postgres() -> Self {
        Self::start(Some(fresh_database()))
    }

    fn start(database: Option<TestDatabase>) -> Self {
        let options = ServerOptions::new("simplejwt", database.as_ref().map(TestDatabase::url));
        let server = options.env("AUTH__HTTP__ALIASES", "true").start(env!("CARGO_BIN_EXE_server-under-test"));
        Self { server, _database: database }
    }
}

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
