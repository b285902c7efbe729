//! A server process of its own for a test: on a free port, in a folder of its own, with its logs kept.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to listen, or to end: far more than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The secret that every test server signs with, unless told otherwise.
pub const SIGNING_KEY: &str = "a-signing-key-for-tests-0123456789-abcdefghij";

/// How to start a server: its profile, and its environment. Nothing of the caller's `AUTH__*` gets in.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    profile: String,
    environment: Vec<(String, String)>,
    bind: String,
}

impl ServerOptions {
    /// A server of a profile on the database with this URL; `None`: SQLite in the server's own folder.
    pub fn new(profile: &str, database_url: Option<&str>) -> Self {
        let options = Self { profile: profile.to_owned(), environment: Vec::new(), bind: "127.0.0.1:0".to_owned() };
        let options = options.env("AUTH__TOKENS__SIGNING_KEY", SIGNING_KEY).env("AUTH__LOG__FORMAT", "json");
        match database_url {
            Some(url) => options.env("DATABASE_URL", url),
            None => options,
        }
    }

    /// Sets a variable of the environment; the last value of a name counts.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a variable that [`new`](Self::new) or [`env`](Self::env) set.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Makes a folder and starts a server in it. `binary`: `env!("CARGO_BIN_EXE_server-under-test")`.
    pub fn start(self, binary: &str) -> Server {
        let dir = TempDir::new().expect("a temporary folder");
        let running = Running::start(binary, &self, &dir);
        Server { binary: binary.to_owned(), options: self, dir, running }
    }

    /// The program with this profile and environment, in a folder, not yet started.
    fn command(&self, binary: &str, dir: &TempDir) -> Command {
        let mut command = Command::new(binary);
        command.current_dir(dir.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AUTH_") || name == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().cloned()).args(["--profile", &self.profile]);
        command
    }

    /// Runs the program to its end in a new folder, for starts that are refused.
    pub fn run_to_end(&self, binary: &str, args: &[&str]) -> Output {
        let dir = TempDir::new().expect("a temporary folder");
        self.command(binary, &dir).args(args).output().expect("the program runs")
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    binary: String,
    options: ServerOptions,
    dir: TempDir,
    running: Running,
}

impl Server {
    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Its folder: the SQLite file is `auth-data/auth.sqlite3` in it.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// All that it has written to its log so far: one JSON object a line.
    pub fn log(&self) -> String {
        self.running.log.text()
    }

    /// Runs another command of the program beside the server, in the same folder and environment.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.options.command(&self.binary, &self.dir).args(args).output().expect("the program runs")
    }

    /// `users ACTION USERNAME`; panics if it fails.
    pub fn users(&self, action: &str, username: &str) {
        let output = self.run(["users", action, username]);
        assert!(output.status.success(), "users {action} {username}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Sends SIGTERM and goes on at once.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.running.child.try_wait().expect("a child to wait for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it and starts it again on the same port and data.
    pub fn restart(&mut self) {
        self.running.kill();
        self.options.bind = self.running.address.to_string();
        self.running = Running::start(&self.binary, &self.options, &self.dir);
    }
}

#[derive(Debug)]
struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<KeptLog>,
}

impl Running {
    fn start(binary: &str, options: &ServerOptions, dir: &TempDir) -> Self {
        let mut command = options.command(binary, dir);
        command.args(["serve", "--bind", &options.bind]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let log = Arc::new(KeptLog::default());
        let (lines, kept) = (BufReader::new(child.stderr.take().expect("a pipe")), log.clone());
        std::thread::spawn(move || kept.keep(lines));
        match log.wait_for_address() {
            Some(address) => Self { child, address, log },
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server does not listen; its log:\n{}", log.text());
            }
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Debug, Default)]
struct KeptLog {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    text: String,
    address: Option<SocketAddr>,
    ended: bool,
}

impl KeptLog {
    fn keep(&self, lines: impl BufRead) {
        for line in lines.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut state = self.state.lock().expect("a lock");
            if line.contains(r#""message":"listening""#) {
                let address = line.split_once(r#""address":""#).and_then(|(_, rest)| rest.split('"').next());
                state.address = address.and_then(|text| text.parse().ok());
            }
            state.text.push_str(&line);
            state.text.push('\n');
            self.changed.notify_all();
        }
        self.state.lock().expect("a lock").ended = true;
        self.changed.notify_all();
    }

    fn wait_for_address(&self) -> Option<SocketAddr> {
        let state = self.state.lock().expect("a lock");
        let is_starting = |state: &mut LogState| state.address.is_none() && !state.ended;
        self.changed.wait_timeout_while(state, PATIENCE, is_starting).expect("a lock").0.address
    }

    fn text(&self) -> String {
        self.state.lock().expect("a lock").text.clone()
    }
}
