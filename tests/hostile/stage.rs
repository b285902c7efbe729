//! The servers that cases share, each started when the first case asks for it, and how a case becomes a trial.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use auth_tests::postgres;
use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::support::{Api, BINARY, Database};

/// One runtime for all trials: connections that a client keeps live on it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The shared servers.
pub(crate) struct Stages {
    /// Answers as SimpleJWT does, on SQLite.
    pub(crate) simplejwt: Arc<Stage>,
    /// The strict default, on SQLite.
    pub(crate) development: Arc<Stage>,
    /// Answers as SimpleJWT does, on PostgreSQL.
    pub(crate) simplejwt_postgres: Arc<Stage>,
    /// The strict default, on PostgreSQL.
    pub(crate) development_postgres: Arc<Stage>,
}

impl Stages {
    pub(crate) fn new() -> Self {
        let stage = |name, profile, on_postgres| Arc::new(Stage { name, profile, on_postgres, live: OnceLock::new() });
        Self {
            simplejwt: stage("simplejwt", "simplejwt", false),
            development: stage("development", "development", false),
            simplejwt_postgres: stage("simplejwt_postgres", "simplejwt", true),
            development_postgres: stage("development_postgres", "development", true),
        }
    }
}

/// A server that cases share. Gives its client when dereferenced.
pub(crate) struct Stage {
    name: &'static str,
    pub(crate) profile: &'static str,
    on_postgres: bool,
    live: OnceLock<Live>,
}

struct Live {
    api: Api,
    server: Server,
    // After the server, which is connected to it.
    _database: Database,
}

impl Stage {
    fn live(&self) -> &Live {
        self.live.get_or_init(|| {
            let database =
                if self.on_postgres { Database::Postgres(postgres::fresh_database()) } else { Database::Sqlite };
            let server = patient(affordable(database.server(self.profile))).start(BINARY);
            Live { api: Api::new(&server.url()), server, _database: database }
        })
    }

    pub(crate) fn server(&self) -> &Server {
        &self.live().server
    }

    /// Whether it answers exactly as the reference peer does.
    pub(crate) fn is_simplejwt(&self) -> bool {
        self.profile == "simplejwt"
    }
}

impl Deref for Stage {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.live().api
    }
}

/// The server with the cheapest password hashing there is: the cases hash some thousand passwords.
pub(crate) fn affordable(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8").env("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")
}

/// The server as the cases share it: all of them come from one address, which therefore may get more wrong, and ask for
/// more mails, than the one client that the limits are made for. Another address needs no proof, so that cases can try any.
/// (Limits and proofs have tests of their own, in `mail`.)
fn patient(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", "100000");
    let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", "100000");
    options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off")
}

/// A server of a case's own, on SQLite, with some settings.
pub(crate) fn own_server(profile: &str, settings: &[(&str, &str)]) -> (Server, Api) {
    let options = affordable(ServerOptions::new(profile, None));
    let server = settings.iter().fold(options, |options, (name, value)| options.env(name, value)).start(BINARY);
    let api = Api::new(&server.url());
    (server, api)
}

/// A name that no other account has.
pub(crate) fn fresh(stem: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{stem}{:04}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A case as a trial, named `topic::case::stage`.
pub(crate) fn on_stage<F>(stage: &Arc<Stage>, module: &str, case: &str, run: F) -> Trial
where
    F: AsyncFn(&Stage) + Send + 'static,
{
    let stage = Arc::clone(stage);
    let (name, on_postgres) = (format!("{}::{case}::{}", topic(module), stage.name), stage.on_postgres);
    let run = move || {
        RUNTIME.block_on(run(&stage));
        Ok(())
    };
    if on_postgres { postgres::trial(name, run) } else { Trial::test(name, run) }
}

/// A case that brings its own server as a trial, named `topic::case`.
pub(crate) fn by_itself<F>(module: &str, case: &str, run: F) -> Trial
where
    F: AsyncFn() + Send + 'static,
{
    Trial::test(format!("{}::{case}", topic(module)), move || {
        RUNTIME.block_on(run());
        Ok(())
    })
}

fn topic(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

/// `cases![stages.simplejwt => a, b; stages.development => b]`: functions as trials.
macro_rules! cases {
    ($($stage:expr => $($case:ident),+ $(,)?);+) => {
        vec![$($($crate::stage::on_stage(&$stage, module_path!(), stringify!($case), $case),)+)+]
    };
}

/// `alone![a, b]`: functions that start their own server as trials.
macro_rules! alone {
    ($($case:ident),+ $(,)?) => {
        vec![$($crate::stage::by_itself(module_path!(), stringify!($case), $case),)+]
    };
}

pub(crate) use {alone, cases};
