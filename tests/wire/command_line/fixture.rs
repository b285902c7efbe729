//! A server, commands that run beside it, and their output.

use std::fmt;
use std::process::Output;

use auth_tests::{Answer, Database, ServerOptions, TestClient, TestServer};

use crate::SERVER;

/// A running server with a client. The database is dropped last.
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

    /// Runs a command beside the server, with standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> CommandOutput {
        CommandOutput::of(self.server.run_with_input(args, input), args)
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.client.try_login(username, password).await
    }

    /// Restarts the server, and creates a client without connections to the old one.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
        self.client = self.server.client();
    }
}

/// The exit code and the output of a command.
pub(crate) struct CommandOutput {
    args: String,
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) result: String,
    /// Standard error: log records, and after a failure one line with the reason.
    pub(crate) errors: String,
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, code, result, errors } = self;
        write!(f, "`{args}` exited with {code:?}; stdout:\n{result}\nstderr:\n{errors}")
    }
}

impl CommandOutput {
    pub(crate) fn of(output: Output, args: &[&str]) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (result, errors) = (text(output.stdout), text(output.stderr));
        Self { args: args.join(" "), code: output.status.code(), result, errors }
    }

    /// Panics unless the command succeeded; returns its standard output.
    #[track_caller]
    pub(crate) fn success(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self}");
        assert!(!self.errors.contains("error: "), "{self}");
        &self.result
    }

    /// Panics unless the command failed with exit code 1, printed nothing on standard output, and wrote the reason as its last
    /// line. Returns that line.
    #[track_caller]
    pub(crate) fn failure(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self}");
        assert_eq!(self.result, "", "{self}");
        let mut lines = self.errors.lines().filter(|line| !line.starts_with('{'));
        let line = lines.next().unwrap_or_else(|| panic!("no error line: {self}"));
        assert!(line.starts_with("error: ") && lines.next().is_none(), "{self}");
        line
    }

    /// Panics unless the usage was wrong: exit code 2, no standard output, and a usage hint.
    #[track_caller]
    pub(crate) fn usage_error(&self) {
        assert_eq!(self.code, Some(2), "{self}");
        assert_eq!(self.result, "", "{self}");
        assert!(self.errors.contains("Usage:") || self.errors.contains("--help"), "{self}");
    }
}
