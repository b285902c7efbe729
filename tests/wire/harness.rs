//! The harness itself: PostgreSQL servers and databases are separate and are removed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use auth_tests::PATIENCE;
use auth_tests::cases::OnCluster;
use auth_tests::concurrency::eventually;
use auth_tests::database::migrate;
use auth_tests::postgres::{Cluster, fresh_database, psql, reused_database};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = auth_tests::cases![OnCluster =>
        databases_are_separate_and_removed,
        a_reused_database_is_empty_and_its_connections_are_closed,
        a_cluster_keeps_port_and_data_over_a_restart,
        a_killed_process_leaves_no_cluster,
    ];
    let killed = OnCluster.trials(CHILD.to_owned(), async || child_process());
    trials.extend(killed.into_iter().map(|trial| trial.with_ignored_flag(true)));
    trials
}

async fn databases_are_separate_and_removed() {
    let (one, other) = (fresh_database(), fresh_database());
    one.psql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)");
    assert_eq!(one.psql("SELECT n, n + 1 FROM t ORDER BY n"), "1|2\n2|3");
    assert_eq!(other.psql("SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
    let name = one.name().to_owned();
    drop(one);
    assert_eq!(other.psql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")), "0");
}

async fn a_reused_database_is_empty_and_its_connections_are_closed() {
    let database = reused_database(migrate);
    let (name, url) = (database.name().to_owned(), database.url().to_owned());
    let insert = "INSERT INTO blacklist (jti, expires_at, reason) VALUES";
    let holder = thread::spawn(move || psql(&url, &format!("BEGIN; {insert} ('a', now(), 'x'); SELECT pg_sleep(600)")));
    eventually("a transaction is open", async || {
        let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'blacklist'::regclass AND pid <> pg_backend_pid()";
        database.psql(locks) != "0"
    })
    .await;
    database.psql(&format!("{insert} ('b', now(), 'x')"));
    drop(database);
    assert!(holder.join().unwrap().is_err(), "the connection is still open");
    let again = reused_database(migrate);
    assert_eq!((again.name(), again.psql("SELECT count(*) FROM blacklist").as_str()), (name.as_str(), "0"));
}

async fn a_cluster_keeps_port_and_data_over_a_restart() {
    let mut cluster = Cluster::start();
    let (folder, url) = (cluster.folder().to_owned(), cluster.url());
    psql(&url, "CREATE TABLE t (n int)").unwrap();
    cluster.stop();
    assert!(psql(&url, "SELECT 1").is_err());
    cluster.restart();
    assert_eq!(psql(&url, "SELECT count(*) FROM t").unwrap(), "0");
    drop(cluster);
    assert!(!folder.exists());
}

/// Not a case of its own: the child process that the last case kills.
const CHILD: &str = "harness::child_process";
/// Set in the environment of the child process.
const IS_CHILD: &str = "AUTH_TESTS_IS_CHILD";

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn child_process() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let cluster = Cluster::start();
    println!("folder={}", cluster.folder().display());
    println!("url={}", cluster.url());
    thread::sleep(Duration::from_secs(600));
}

async fn a_killed_process_leaves_no_cluster() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored"])
        .env(IS_CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut value = |key: &str| lines.find_map(|line| line.split_once(key).map(|(_, value)| value.to_owned())).unwrap();
    let (folder, url) = (value("folder="), value("url="));
    assert!(Path::new(&folder).exists() && psql(&url, "SELECT 1").is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Path::new(&folder).exists() {
        assert!(Instant::now() < deadline, "{folder} still exists");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(psql(&url, "SELECT 1").is_err());
}
