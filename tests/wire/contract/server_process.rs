//! The example blog as a process of its own, on a database.

use auth_tests::postgres::{TestDatabase, fresh_database};
use auth_tests::{ServerOptions, TestServer};

use crate::contract::target::Target;
use crate::contract::variant::Variant;

const NEW_PASSWORD: &str = "Another-horse-43";

/// A server with its database, which is dropped after it.
pub(crate) struct Process {
    server: TestServer,
    _database: Option<TestDatabase>,
}

impl Process {
    pub(crate) fn on_sqlite(variant: &Variant) -> Self {
        Self::start(variant, None)
    }

    pub(crate) fn on_postgres(variant: &Variant) -> Self {
        Self::start(variant, Some(fresh_database()))
    }

    fn start(variant: &Variant, database: Option<TestDatabase>) -> Self {
        let options = ServerOptions::new("simplejwt", database.as_ref().map(TestDatabase::url));
        let options = options.env("AUTH__HTTP__ALIASES", "true");
        let options = variant.environment.iter().fold(options, |options, (name, value)| options.env(name, value));
        Self { server: options.start(crate::BLOG), _database: database }
    }
}

impl Target for Process {
    fn url(&self) -> String {
        self.server.url()
    }

    fn users(&self, action: &str, name: &str) -> Result<(), String> {
        let output = match action {
            "set-password" => self.server.run_with_input(["users", action, name, "--password-stdin"], NEW_PASSWORD),
            _ => self.server.run(["users", action, name]),
        };
        let error = || format!("users {action} {name}: {}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(()) } else { Err(error()) }
    }
}
