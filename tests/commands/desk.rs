//! Where a case works: a server or none, commands beside it, and what they said.

use std::fmt;
use std::process::Output;
use std::sync::LazyLock;

use auth_tests::postgres;
use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Answer, Api, BINARY, Database};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A case on both databases, named `topic::case::sqlite` and `topic::case::postgres`.
pub(crate) fn on_both<F>(module: &str, case: &str, run: F) -> Vec<Trial>
where
    F: AsyncFn(Database) + Copy + Send + 'static,
{
    let name = |database| format!("{}::{case}::{database}", topic(module));
    let on_sqlite = Trial::test(name("sqlite"), move || {
        RUNTIME.block_on(run(Database::Sqlite));
        Ok(())
    });
    let on_postgres = postgres::trial(name("postgres"), move || {
        RUNTIME.block_on(run(Database::Postgres(postgres::fresh_database())));
        Ok(())
    });
    vec![on_sqlite, on_postgres]
}

/// A case that the database makes no difference to, named `topic::case`.
pub(crate) fn once<F>(module: &str, case: &str, run: F) -> Vec<Trial>
where
    F: AsyncFn() + Send + 'static,
{
    vec![Trial::test(format!("{}::{case}", topic(module)), move || {
        RUNTIME.block_on(run());
        Ok(())
    })]
}

/// A case that needs a PostgreSQL to itself, named `topic::case::postgres`.
pub(crate) fn on_postgres<F>(module: &str, case: &str, run: F) -> Vec<Trial>
where
    F: AsyncFn() + Send + 'static,
{
    vec![postgres::trial(format!("{}::{case}::postgres", topic(module)), move || {
        RUNTIME.block_on(run());
        Ok(())
    })]
}

fn topic(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

/// `cases![once: a, b; on_both: c]`: functions as trials.
macro_rules! cases {
    ($($maker:ident: $($case:ident),+ $(,)?);+) => {
        [$($($crate::desk::$maker(module_path!(), stringify!($case), $case),)+)+].into_iter().flatten().collect()
    };
}
pub(crate) use cases;

/// The server with the cheapest password hashing there is.
pub(crate) fn affordable(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8").env("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")
}

/// A running server, with a client. The database goes after it.
pub(crate) struct Desk {
    pub(crate) api: Api,
    pub(crate) server: Server,
    pub(crate) database: Database,
}

impl Desk {
    pub(crate) fn new(database: Database, profile: &str) -> Self {
        let options = affordable(database.server(profile));
        Self::with(database, options)
    }

    pub(crate) fn with(database: Database, options: ServerOptions) -> Self {
        let server = options.start(BINARY);
        Self { api: Api::new(&server.url()), server, database }
    }

    /// Runs a command beside the server.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(self.server.run(args), args)
    }

    /// Runs a command beside the server, with something on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Said {
        Said::of(self.server.run_with_input(args, input), args)
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.api.post("/api/token/", None, json!({"username": username, "password": password})).await
    }

    /// Stops the server and starts it again, with a client that knows nothing of the old one.
    pub(crate) fn restart(&mut self) {
        self.server.restart();
        self.api = Api::new(&self.server.url());
    }
}

/// What a command said at its end.
pub(crate) struct Said {
    args: String,
    pub(crate) code: Option<i32>,
    /// On standard output.
    pub(crate) result: String,
    /// On standard error: logs, and at a failure one line.
    pub(crate) errors: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, code, result, errors } = self;
        write!(f, "`{args}` ended with {code:?}; it printed:\n{result}\nand said:\n{errors}")
    }
}

impl Said {
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

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unchecked.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, place: usize) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = token.split('.').nth(place).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}
