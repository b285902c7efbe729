//! A private server.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::must;
use super::programs::Programs;
use crate::PATIENCE;

/// Makes the cluster, then starts and stops its server as it is told on its standard input, and cleans up at the end of
/// that: however the test process ends, the kernel closes the pipe. Runs in the cluster's folder. The arguments are
/// the two programs, a further argument for `initdb` or nothing, and the settings of the server.
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

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is forced to the disk. A crash of the service, or of the server alone, loses nothing even so.
    Fast,
    /// As in production: for measurements.
    Real,
}

/// A private server in a temporary folder, on a free port of 127.0.0.1. Both are gone after this value, and after the
/// process that held it. Its one user is `postgres`, without a password.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    supervisor: Child,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
}

impl Cluster {
    /// Makes a cluster and starts it, [`Durability::Fast`].
    pub fn start() -> Self {
        Self::start_with(Durability::Fast)
    }

    /// Makes a cluster and starts it.
    pub fn start_with(durability: Durability) -> Self {
        must(Self::try_start(durability))
    }

    /// A `postgres://` URL of its maintenance database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port it listens on, also after [`restart`](Self::restart).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server at once, as a crash would: connections break, and the next start recovers.
    pub fn stop(&mut self) {
        must(self.order("stop").and_then(|()| self.report()));
    }

    /// Starts the server again, on the same port, and waits until it accepts connections.
    pub fn restart(&mut self) {
        must(self.try_restart());
    }

    fn try_start(durability: Durability) -> Result<Self, String> {
        let programs = Programs::find()?;
        let mut cluster = Self::make(&programs, &Folder::make()?, durability)?;
        // Somebody else may take the port between the choice and the start.
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
            .process_group(0) // Not reached by the Ctrl-C that ends the tests: it still has to clean up.
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
        // The mark of the last end, which would be taken for the end of the new server.
        let _ = fs::remove_file(self.folder.join("ended"));
        self.order(&format!("start {}", self.port))?;
        self.wait_until_ready()
    }

    fn order(&mut self, order: &str) -> Result<(), String> {
        let orders = self.orders.as_mut().ok_or("the supervisor is gone")?;
        writeln!(orders, "{order}").map_err(|error| format!("the supervisor is gone: {error}"))
    }

    fn report(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.reports.read_line(&mut line).map_err(|error| format!("the supervisor is gone: {error}"))?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits until the server says, in its lock file, that it accepts connections.
    fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.folder.join("ended").exists() {
            // The eighth line, since PostgreSQL 10.
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

/// Where a cluster lives, and as whom: the server refuses to run as root.
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
        let failed = |error: std::io::Error| format!("cannot make a folder in {}: {error}", place.display());
        let temporary = tempfile::Builder::new().prefix("auth-pg-").tempdir_in(place).map_err(failed)?;
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o700)).map_err(failed)?;
        let is_root = fs::metadata(temporary.path()).map_err(failed)?.uid() == 0;
        let owner = if is_root { Some(unprivileged_user()?) } else { None };
        if let Some((user, group)) = owner {
            chown(temporary.path(), Some(user), Some(group)).map_err(failed)?;
        }
        let folder = Self { path: temporary.path().to_owned(), owner };
        let is_reachable = folder.command("test").args(["-w", "."]).status().is_ok_and(|status| status.success());
        if !is_reachable {
            return Err(format!("an unprivileged user cannot reach {}", place.display()));
        }
        let _ = temporary.keep();
        Ok(folder)
    }

    /// A command that runs here, as the owner, undisturbed by settings of the caller.
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

    /// The folder for unix sockets; none if its name is too long for one (108 bytes, with `/.s.PGSQL.12345.lock`).
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
