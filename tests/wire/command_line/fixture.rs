//! A server or none, commands beside it, and their output.

use std::fmt;
use std::process::Output;

use auth_tests::{Answer, Database, ServerOptions, TestClient, TestServer};

use crate::SERVER;

/// A running server, with a client. The database goes after it.
pub(crate) struct Fixture {
    pub(crate) client: TestClient,
    pub(crate) server: TestServer,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) fn new(database: Database, profile: &str) -> Self {
        let options = database.server(profile);
        Self::with(database, options)
    }

    pub(crate) fn with(database: Database, options: ServerOptions) -> Self {
        let server = options.start(SERVER);
        Self { client: server.client(), server, database }
    }

    /// Runs a command beside the server.
    pub(crate) fn run(&self, args: &[&str]) -> CommandOutput {
        CommandOutput::of(self.server.run(args), args)
    }

    /// Runs a command beside the server, with something on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> CommandOutput {
        CommandOutput::of(self.server.run_with_input(args, input), args)
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.client.try_login(username, password).await
    }

    /// Stops the server and starts it again, with a client that knows nothing of the old one.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
        self.client = self.server.client();
    }
}

/// The exit code and the output of a command.
pub(crate) struct CommandOutput {
    args: String,
    pub(crate) code: Option<i32>,
    /// On standard output.
    pub(crate) result: String,
    /// On standard error: logs, and at a failure one line.
    pub(crate) errors: String,
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, code, result, errors } = self;
        write!(f, "`{args}` ended with {code:?}; it printed:\n{result}\nand said:\n{errors}")
    }
}

impl CommandOutput {
    pub(crate) fn of(output: Output, args: &[&str]) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (result, errors) = (text(output.stdout), text(output.stderr));
        Self { args: args.join(" "), code: output.status.code(), result, errors }
    }

    /// Panics unless it did what it should. Gives what it printed.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self}");
        assert!(!self.errors.contains("error: "), "{self}");
        &self.result
    }

    /// Panics unless it failed with exit code 1, printed nothing, and said why in one line, the last one. Gives the
    /// line.
    #[track_caller]
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self}");
        assert_eq!(self.result, "", "{self}");
        let mut lines = self.errors.lines().filter(|line| !line.starts_with('{'));
        let line = lines.next().unwrap_or_else(|| panic!("no reason: {self}"));
        assert!(line.starts_with("error: ") && lines.next().is_none(), "{self}");
        line
    }

    /// Panics unless it was not understood: exit code 2, nothing printed, and a hint at the right usage.
    #[track_caller]
    pub(crate) fn misused(&self) {
        assert_eq!(self.code, Some(2), "{self}");
        assert_eq!(self.result, "", "{self}");
        assert!(self.errors.contains("Usage:") || self.errors.contains("--help"), "{self}");
    }
}
