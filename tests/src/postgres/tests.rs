use std::io::{BufRead, BufReader};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// Whether to go on. Where there is no PostgreSQL these tests pass without a word; in CI they fail.
fn is_available() -> bool {
    let availability = availability();
    assert!(availability.is_ok() || env::var("CI").is_err(), "{availability:?}");
    availability.is_ok() && given_url().is_none()
}

#[test]
fn databases_are_separate_and_go_away() {
    if !is_available() {
        return;
    }
    let (one, other) = (fresh_database(), fresh_database());
    one.psql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)");
    assert_eq!(one.psql("SELECT n, n + 1 FROM t ORDER BY n"), "1|2\n2|3");
    assert_eq!(other.psql("SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
    let name = one.name.clone();
    drop(one);
    assert_eq!(other.psql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")), "0");
}

#[test]
fn a_cluster_keeps_its_port_and_its_data_when_it_is_stopped_and_started() {
    if !is_available() {
        return;
    }
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

/// Not a test of its own: the process that the next one kills.
#[test]
#[ignore = "run by a_killed_process_leaves_nothing_behind"]
fn is_killed() {
    let cluster = Cluster::start();
    println!("folder={}", cluster.folder().display());
    println!("url={}", cluster.url());
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    if !is_available() {
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "postgres::tests::is_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut value = |key: &str| lines.find_map(|line| line.split_once(key).map(|(_, value)| value.to_owned())).unwrap();
    let (folder, url) = (value("folder="), value("url="));
    assert!(Path::new(&folder).exists() && psql(&url, "SELECT 1").is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while Path::new(&folder).exists() {
        assert!(Instant::now() < deadline, "{folder} is still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(psql(&url, "SELECT 1").is_err());
}

#[test]
fn what_cannot_be_run_is_ignored_except_in_ci() {
    let reason = || "no PostgreSQL".to_owned();
    assert!(matches!(unable(reason(), false), Ok(Completion::Ignored { reason: Some(shown) }) if shown == reason()));
    assert!(matches!(unable(reason(), true), Err(failed) if failed.message() == Some("no PostgreSQL")));
}

#[test]
fn a_url_keeps_all_but_its_database() {
    for (url, expected) in [
        ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/new"),
        ("postgres://u@h", "postgres://u@h/new"),
        ("postgres://u@h/?sslmode=require", "postgres://u@h/new?sslmode=require"),
        ("postgres://h/x?host=/tmp/a", "postgres://h/new?host=/tmp/a"),
    ] {
        assert_eq!(with_database(url, "new"), expected);
    }
}
