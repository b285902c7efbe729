//! A private, temporary PostgreSQL for tests.
//!
//! If `TEST_DATABASE_URL` is set, databases are created on that server and dropped after use. Otherwise each test process
//! starts a private cluster in a temporary folder, listening on 127.0.0.1 only; it is removed when the process ends,
//! however that happens.
//!
//! A test that finds no PostgreSQL is reported as ignored, with the reason. With `CI=true` it fails instead, so that CI
//! skips nothing. [`trial`] does this for a `libtest-mimic` harness.
//!
//! Functions here panic on failure.

mod cluster;
mod programs;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;
use std::{env, process, thread};

use libtest_mimic::{Completion, Failed, Trial};

pub use cluster::{Cluster, Durability};
use programs::Programs;

/// The variable with the URL of the server to use instead of a private one; its user must be able to create databases.
pub const URL_VARIABLE: &str = "TEST_DATABASE_URL";

/// Returns whether PostgreSQL is available; the error is one line that says how to install it. Starts nothing.
pub fn availability() -> Result<(), String> {
    match configured_url() {
        Some(_) => programs::psql().map(drop),
        None => cluster_availability(),
    }
}

/// Returns whether a [`Cluster`] can be started; the error is one line that says what to install. Starts nothing.
pub fn cluster_availability() -> Result<(), String> {
    Programs::find().map(drop)
}

/// Returns a trial that needs a [`fresh_database`]. Without PostgreSQL it is ignored, or fails if `CI=true`.
pub fn trial<R>(name: impl Into<String>, run: R) -> Trial
where
    R: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    trial_if(availability, name, run)
}

/// Returns a trial that starts its own [`Cluster`]. Where that is impossible it is ignored, or fails if `CI=true`.
pub fn cluster_trial<R>(name: impl Into<String>, run: R) -> Trial
where
    R: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    trial_if(cluster_availability, name, run)
}

fn trial_if<R>(availability: fn() -> Result<(), String>, name: impl Into<String>, run: R) -> Trial
where
    R: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    Trial::ignorable_test(name, move || match availability() {
        Ok(()) => run().map(|()| Completion::Completed),
        Err(reason) => unavailable(reason, env::var("CI").is_ok_and(|ci| ci == "true")),
    })
}

/// The outcome of a trial that cannot run.
fn unavailable(reason: String, is_ci: bool) -> Result<Completion, Failed> {
    if is_ci { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) }
}

/// Creates an empty database on the server of this test process, which starts on the first call.
pub fn fresh_database() -> TestDatabase {
    TestDatabase::create(server(), "")
}

/// Copies a database that `prepare` has set up, given its URL: creating and filling tables takes much longer than copying
/// them. A process has one such template, so `prepare` runs once and must always be the same; it must leave no connection
/// open. [`drop_kept_databases`] drops the template.
pub fn copied_database(prepare: impl FnOnce(&str)) -> TestDatabase {
    let mut template = lock(&TEMPLATE);
    let template = template.get_or_insert_with(|| {
        let template = fresh_database();
        prepare(template.url());
        template
    });
    TestDatabase::create(server(), &format!("TEMPLATE {}", template.name))
}

/// A [`copied_database`] whose rows are deleted when it is dropped, so that the next caller can reuse it: deleting rows is
/// much faster than copying a database. For callers that change neither tables nor settings.
pub fn reused_database(prepare: impl FnOnce(&str)) -> TestDatabase {
    let idle = lock(&IDLE).pop();
    let mut database = idle.map_or_else(|| copied_database(prepare), |name| TestDatabase::named(server(), name));
    database.is_reused = true;
    database
}

/// Drops the databases that [`copied_database`] and [`reused_database`] keep. Call it at the end of a process: on a server
/// given by `TEST_DATABASE_URL` they would remain.
pub fn drop_kept_databases() {
    lock(&IDLE).drain(..).for_each(|name| drop(TestDatabase::named(server(), name)));
    drop(lock(&TEMPLATE).take());
}

static TEMPLATE: Mutex<Option<TestDatabase>> = Mutex::new(None);
/// Names of databases for [`reused_database`].
static IDLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the server of this test process, which starts on the first call.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match configured_url() {
        Some(url) => Server::Configured(url),
        None => Server::Own(Cluster::start()),
    })
}

fn configured_url() -> Option<String> {
    env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// The server on which databases are created.
enum Server {
    Own(Cluster),
    Configured(String),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::Own(cluster) => cluster.url(),
            Self::Configured(url) => url.clone(),
        }
    }
}

/// A database. It is dropped with this value, or emptied for [reuse](reused_database), even if connections are still open.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    maintenance_url: String,
    is_reused: bool,
}

impl TestDatabase {
    /// Creates a database; `options` are options of `CREATE DATABASE`.
    fn create(server: &Server, options: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis());
        let name = format!("auth_test_{now}_{}_{count}", process::id());
        let database = Self::named(server, name);
        unwrap_or_panic(psql(&database.maintenance_url, &format!("CREATE DATABASE {} {options}", database.name)));
        database
    }

    /// Returns a database that already exists.
    fn named(server: &Server, name: String) -> Self {
        let maintenance_url = server.url();
        Self { url: with_database(&maintenance_url, &name), name, maintenance_url, is_reused: false }
    }

    /// Returns a `postgres://` URL of the database, for its owner.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Executes SQL directly on the database; returns the rows as `psql` prints them: one per line, fields separated by `|`.
    pub fn psql(&self, sql: &str) -> String {
        unwrap_or_panic(psql(&self.url, sql))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A failed case may have changed tables or settings.
        if self.is_reused && !thread::panicking() && psql(&self.url, EMPTY).is_ok() {
            return lock(&IDLE).push(self.name.clone());
        }
        // Fails if the server is stopped; then the whole cluster is removed anyway.
        let _ = psql(&self.maintenance_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Ends all other connections and deletes all rows except the list of migrations.
const EMPTY: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    DO $$ BEGIN
        EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
                 FROM pg_tables WHERE schemaname = 'public' AND tablename <> '__diesel_schema_migrations');
    END $$";

/// Replaces the database in the path of a URL.
fn with_database(url: &str, name: &str) -> String {
    let (location, options) = url.split_once('?').unwrap_or((url, ""));
    let authority_from = location.find("://").map_or(0, |at| at + 3);
    let path_from = location[authority_from..].find('/').map_or(location.len(), |at| authority_from + at);
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{options}", &location[..path_from])
}

/// Executes SQL in the database at this URL. The error is the output of `psql`.
pub fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new(programs::psql()?)
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "-d", url, "-c", sql])
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run psql: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(format!("psql: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
    }
}

/// Unwraps a result, or panics with its error as the message.
#[expect(clippy::panic, reason = "a test that cannot have its database has failed")]
fn unwrap_or_panic<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests;
