//! A private PostgreSQL server.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::programs::Programs;
use super::unwrap_or_panic;
use crate::PATIENCE;

/// Creates the cluster, then starts and stops its server on commands from its standard input, and cleans up when that ends:
/// the kernel closes the pipe however the test process ends. Runs in the folder of the cluster. The arguments are the two
/// programs, a further argument for `initdb` or an empty one, and the settings of the server.
const SUPERVISOR: &str = r#"
trap '' HUP INT TERM
initdb=$1 postgres=$2 sync=$3
shift 3
start() {
    { "$postgres" -D data -c "port=$port" "$@" </dev/null >log 2>&1; : >ended; } &
}
stop() {
    until [ -e ended ]; do
        read -r pid <data/postmaster.pid && kill -QUIT "$pid"
        sleep 0.05
    done 2>/dev/null
}
"$initdb" --username=postgres --auth=trust --encoding=UTF8 --locale=C $sync -D data </dev/null >log 2>&1
outcome=$?
: >ended
echo $outcome
while read -r order port; do
    case $order in
    start) start "$@" ;;
    stop) stop; echo stopped ;;
    esac
done
stop
folder=$PWD
cd / && rm -rf "$folder"
"#;

/// What a crash of the machine may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Skips fsync. A crash of the service or of the database server alone still loses nothing.
    Fast,
    /// As in production; for measurements.
    Real,
}

/// A private server in a temporary folder, on a free port of 127.0.0.1. Both are removed when this value is dropped, or when
/// the process ends. Its only user is `postgres`, without a password.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    supervisor: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Cluster {
    /// Creates a cluster with [`Durability::Fast`] and starts it.
    pub fn start() -> Self {
        Self::start_with(Durability::Fast)
    }

    /// Creates a cluster and starts it.
    pub fn start_with(durability: Durability) -> Self {
        unwrap_or_panic(Self::try_start(durability))
    }

    /// Returns the `postgres://` URL of its maintenance database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns its port, which stays the same after [`restart`](Self::restart).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder with its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server immediately, like a crash: connections break, and the next start recovers.
    pub fn stop(&mut self) {
        unwrap_or_panic(self.order("stop").and_then(|()| self.report()));
    }

    /// Starts the server again, on the same port, and waits until it accepts connections.
    pub fn restart(&mut self) {
        unwrap_or_panic(self.try_restart());
    }

    fn try_start(durability: Durability) -> Result<Self, String> {
        let programs = Programs::find()?;
        let mut cluster = Self::make(&programs, &Folder::make()?, durability)?;
        // Another process may take the port between the choice and the start.
        let mut outcome = Err(String::new());
        for _ in 0..5 {
            cluster.port = free_port()?;
            outcome = cluster.try_restart();
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|()| cluster)
    }

    fn make(programs: &Programs, folder: &Folder, durability: Durability) -> Result<Self, String> {
        let mut supervisor = folder
            .command("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .args([&programs.initdb, &programs.postgres])
            .arg(if durability == Durability::Fast { "--no-sync" } else { "" })
            .args(server_settings(durability))
            .args(["-c", &format!("unix_socket_directories={}", folder.for_sockets())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C on the tests must not kill it: it still has to clean up.
            .spawn()
            .map_err(|error| format!("cannot run sh: {error}"))?;
        let orders = supervisor.stdin.take();
        let reports = BufReader::new(supervisor.stdout.take().ok_or("the supervisor has no output")?);
        let mut cluster = Self { folder: folder.path.clone(), port: 0, supervisor, orders, reports };
        match cluster.report()?.as_str() {
            "0" => Ok(cluster),
            _ => Err(format!("initdb failed: {}", cluster.log())),
        }
    }

    fn try_restart(&mut self) -> Result<(), String> {
        // Left by the last server that ended; it would look as if the new one had.
        let _ = fs::remove_file(self.folder.join("ended"));
        self.order(&format!("start {}", self.port))?;
        self.wait_until_ready()
    }

    fn order(&mut self, order: &str) -> Result<(), String> {
        let orders = self.orders.as_mut().ok_or("the supervisor has ended")?;
        writeln!(orders, "{order}").map_err(|error| format!("the supervisor has ended: {error}"))
    }

    fn report(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.reports.read_line(&mut line).map_err(|error| format!("the supervisor has ended: {error}"))?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits until the lock file says that the server accepts connections.
    fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.folder.join("ended").exists() {
            // The status is the eighth line since PostgreSQL 10.
            let lock_file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            if lock_file.lines().nth(7).is_some_and(|status| status.trim_end() == "ready") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("PostgreSQL did not start: {}", self.log()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default().trim_end().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.supervisor.wait();
    }
}

/// The folder of a cluster, and its owner: PostgreSQL refuses to run as root.
struct Folder {
    path: PathBuf,
    owner: Option<(u32, u32)>,
}

impl Folder {
    fn make() -> Result<Self, String> {
        let places = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
        let mut failure = String::new();
        for place in places {
            match Self::make_in(&place) {
                Ok(folder) => return Ok(folder),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn make_in(place: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot create a folder in {}: {error}", place.display());
        let temporary = tempfile::Builder::new().prefix("auth-pg-").tempdir_in(place).map_err(failed)?;
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o700)).map_err(failed)?;
        let is_root = fs::metadata(temporary.path()).map_err(failed)?.uid() == 0;
        let owner = if is_root { Some(unprivileged_user()?) } else { None };
        if let Some((user, group)) = owner {
            chown(temporary.path(), Some(user), Some(group)).map_err(failed)?;
        }
        let folder = Self { path: temporary.path().to_owned(), owner };
        let is_writable = folder.command("test").args(["-w", "."]).status().is_ok_and(|status| status.success());
        if !is_writable {
            return Err(format!("an unprivileged user cannot write to {}", place.display()));
        }
        let _ = temporary.keep();
        Ok(folder)
    }

    /// Returns a command that runs in this folder as its owner, without `PG*` variables of the caller.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path).env("LC_ALL", "C").stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// Returns the folder for Unix sockets; empty if its path is too long for one (108 bytes, with `/.s.PGSQL.12345.lock`).
    fn for_sockets(&self) -> String {
        let path = self.path.display().to_string();
        if path.len() <= 80 { path } else { String::new() }
    }
}

fn unprivileged_user() -> Result<(u32, u32), String> {
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("cannot read /etc/passwd: {error}"))?;
    let ids = |name: &str| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).ok_or_else(|| "no user to run PostgreSQL as: it refuses root".to_owned())
}

fn server_settings(durability: Durability) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "shared_buffers=64MB",
        "synchronous_commit=on",
        "log_min_messages=fatal",
    ];
    if durability == Durability::Fast {
        settings.extend(["fsync=off", "full_page_writes=off"]);
    }
    settings.into_iter().flat_map(|setting| ["-c", setting]).collect()
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
