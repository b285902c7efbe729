//! A private, throw-away PostgreSQL for tests.
//!
//! With `TEST_DATABASE_URL` set, databases are made on that server and dropped at their end. Otherwise the server
//! programs of this machine start a private cluster in a temporary folder: one for each test process, listening on
//! 127.0.0.1 only, gone with the process, however that ends.
//!
//! A test that finds no PostgreSQL is reported as ignored, with the reason; with `CI=true` it fails, so that nothing
//! is skipped where it must not be. [`trial`] does this for a `libtest-mimic` harness.
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

/// Names the server to use instead of a private one: a URL whose user may create databases.
pub const URL_VARIABLE: &str = "TEST_DATABASE_URL";

/// Whether there is a PostgreSQL for tests. If not, the error is one line that says how to get one. Starts nothing.
pub fn availability() -> Result<(), String> {
    match given_url() {
        Some(_) => programs::psql().map(drop),
        None => cluster_availability(),
    }
}

/// Whether a [`Cluster`] can be started here. If not, the error is one line that says how to get it. Starts nothing.
pub fn cluster_availability() -> Result<(), String> {
    Programs::find().map(drop)
}

/// A trial that needs a [`fresh_database`]. Where there is none to be had it is ignored, or fails if `CI=true`.
pub fn trial<R>(name: impl Into<String>, run: R) -> Trial
where
    R: FnOnce() -> Result<(), Failed> + Send + 'static,
{
    trial_if(availability, name, run)
}

/// A trial that needs a [`Cluster`] of its own. Where none can be started it is ignored, or fails if `CI=true`.
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
        Err(reason) => unable(reason, env::var("CI").is_ok_and(|ci| ci == "true")),
    })
}

/// What becomes of a trial that cannot be run.
fn unable(reason: String, is_ci: bool) -> Result<Completion, Failed> {
    if is_ci { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) }
}

/// Makes an empty database on the server of this test process, which is started at the first call.
pub fn fresh_database() -> TestDatabase {
    TestDatabase::create(server(), "")
}

/// Makes a copy of a database that `prepare`, which gets a URL, has prepared: creating and filling tables takes much longer
/// than copying them. There is one such template in a process, so that `prepare` is called once, and must always be the
/// same. It must leave no connection open. [`drop_kept_databases`] drops it.
pub fn copied_database(prepare: impl FnOnce(&str)) -> TestDatabase {
    let mut template = lock(&TEMPLATE);
    let template = template.get_or_insert_with(|| {
        let template = fresh_database();
        prepare(template.url());
        template
    });
    TestDatabase::create(server(), &format!("TEMPLATE {}", template.name))
}

/// A [`copied_database`] whose rows are deleted at its end, and which then serves another caller: deleting rows takes much
/// less time than copying a database. For callers that change neither tables nor settings.
pub fn reused_database(prepare: impl FnOnce(&str)) -> TestDatabase {
    let idle = lock(&IDLE).pop();
    let mut database = idle.map_or_else(|| copied_database(prepare), |name| TestDatabase::named(server(), name));
    database.is_reused = true;
    database
}

/// Drops the databases that [`copied_database`] and [`reused_database`] keep, at the end of a process: on a server of the
/// process's own they would be gone anyway, on a given one they would stay.
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

/// The server of this test process, started at the first call.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match given_url() {
        Some(url) => Server::Given(url),
        None => Server::Own(Cluster::start()),
    })
}

fn given_url() -> Option<String> {
    env::var(URL_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// Where databases are made.
enum Server {
    Own(Cluster),
    Given(String),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::Own(cluster) => cluster.url(),
            Self::Given(url) => url.clone(),
        }
    }
}

/// A database. It is dropped or, if others [reuse](reused_database) it, emptied with this value, whatever is still
/// connected to it.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    maintenance_url: String,
    is_reused: bool,
}

impl TestDatabase {
    /// `options` are those of `CREATE DATABASE`.
    fn create(server: &Server, options: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis());
        let name = format!("auth_test_{now}_{}_{count}", process::id());
        let database = Self::named(server, name);
        must(psql(&database.maintenance_url, &format!("CREATE DATABASE {} {options}", database.name)));
        database
    }

    /// One that is there already.
    fn named(server: &Server, name: String) -> Self {
        let maintenance_url = server.url();
        Self { url: with_database(&maintenance_url, &name), name, maintenance_url, is_reused: false }
    }

    /// A `postgres://` URL of the database, for a user who may do everything in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL past the code under test, and gives the rows as `psql` prints them: one a line, fields between `|`.
    pub fn psql(&self, sql: &str) -> String {
        must(psql(&self.url, sql))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A case that failed may have left anything behind.
        if self.is_reused && !thread::panicking() && psql(&self.url, EMPTY).is_ok() {
            return lock(&IDLE).push(self.name.clone());
        }
        // Fails if the server is stopped; then the whole cluster is about to go.
        let _ = psql(&self.maintenance_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Ends all other connections, and deletes all rows but the list of migrations.
const EMPTY: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    DO $$ BEGIN
        EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
                 FROM pg_tables WHERE schemaname = 'public' AND tablename <> '__diesel_schema_migrations');
    END $$";

/// The URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (location, options) = url.split_once('?').unwrap_or((url, ""));
    let authority_from = location.find("://").map_or(0, |at| at + 3);
    let path_from = location[authority_from..].find('/').map_or(location.len(), |at| authority_from + at);
    let separator = if options.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{options}", &location[..path_from])
}

/// Runs SQL in the database with this URL. An error is what `psql` says.
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

/// Unwraps, or panics with the message.
#[expect(clippy::panic, reason = "a test that cannot have its database has failed")]
fn must<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests;
