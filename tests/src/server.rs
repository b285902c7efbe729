//! A server process of its own for a test: on a free port, in a folder of its own, with its logs kept.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server has failed")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to listen, or to end: far more than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The secret that every test server signs with, unless told otherwise.
pub const SIGNING_KEY: &str = "a-signing-key-for-tests-0123456789-abcdefghij";

/// The secret of the installation of every test server, unless told otherwise.
pub const VAULT_KEY: &str = "a-vault-key-for-tests-0123456789-abcdefghijkl";

/// How to start a server: its profile, and its environment. Nothing of the caller's `AUTH__*` gets in.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    profile: String,
    environment: Vec<(String, String)>,
    bind: String,
}

impl ServerOptions {
    /// A server of a profile on the database with this URL; `None`: SQLite in the server's own folder. Its mails are files
    /// in its own folder, whatever the profile says of them.
    pub fn new(profile: &str, database_url: Option<&str>) -> Self {
        let options = Self { profile: profile.to_owned(), environment: Vec::new(), bind: "127.0.0.1:0".to_owned() };
        let options = options.env("AUTH__TOKENS__SIGNING_KEY", SIGNING_KEY).env("AUTH__LOG__FORMAT", "json");
        let options = options.env("AUTH__SECRETS__KEY", VAULT_KEY).env("AUTH__MAIL__TRANSPORT", "folder");
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

    /// Runs the program to its end in a new folder, for starts that are refused. Panics if it does not end.
    pub fn run_to_end(&self, binary: &str, args: &[&str]) -> Output {
        let dir = TempDir::new().expect("a temporary folder");
        let mut command = self.command(binary, &dir);
        let mut child =
            command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        // Both are read meanwhile: a pipe that is full would keep it from its end.
        let stdout = read_meanwhile(child.stdout.take().expect("a pipe"));
        let stderr = read_meanwhile(child.stderr.take().expect("a pipe"));
        let ended = ends_in_time(&mut child);
        let _ = child.kill();
        let status = child.wait().expect("a child to wait for");
        let (stdout, stderr) = (stdout.join().expect("an output"), stderr.join().expect("an output"));
        assert!(ended.is_some(), "{args:?} does not end: {}", String::from_utf8_lossy(&stderr));
        Output { status, stdout, stderr }
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    binary: String,
    options: ServerOptions,
    // Before the folder: it ends first.
    running: Running,
    dir: TempDir,
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

    /// Closes the log at its reader's end with the next line that is written, as when whoever collects logs has died.
    pub fn stop_reading_log(&self) {
        self.running.outputs.lock().is_unwanted[Stream::Log as usize] = true;
    }

    /// Whether nothing more can come in the log: the server has ended, or nobody reads it.
    pub fn log_is_closed(&self) -> bool {
        self.running.outputs.lock().ended[Stream::Log as usize]
    }

    /// Its folder: the SQLite file is `auth-data/auth.sqlite3` in it.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// All that it has written to its log so far: one JSON object a line. After [`wait`](Self::wait) it is whole.
    pub fn log(&self) -> String {
        self.running.outputs.text(Stream::Log)
    }

    /// All that it has written to its standard output so far. After [`wait`](Self::wait) it is whole.
    pub fn printed(&self) -> String {
        self.running.outputs.text(Stream::Printed)
    }

    /// Runs another command of the program beside the server, in the same folder and environment.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.options.command(&self.binary, &self.dir).args(args).output().expect("the program runs")
    }

    /// As [`run`](Self::run), with something on its standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Output {
        let mut command = self.options.command(&self.binary, &self.dir);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        // It may end without reading all of it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("an output")
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
        let status = ends_in_time(&mut self.running.child).expect("the server ends");
        self.running.outputs.wait_for_end();
        status
    }

    /// Kills it and starts it again on the same port and data.
    pub fn restart(&mut self) {
        self.running.kill();
        self.options.bind = self.running.address.to_string();
        self.running = Running::start(&self.binary, &self.options, &self.dir);
    }
}

/// Reads to the end, in a thread of its own.
fn read_meanwhile(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for the end of a process; `None` if it takes too long.
fn ends_in_time(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[derive(Debug)]
struct Running {
    child: Child,
    address: SocketAddr,
    outputs: Arc<Outputs>,
}

impl Running {
    fn start(binary: &str, options: &ServerOptions, dir: &TempDir) -> Self {
        let mut command = options.command(binary, dir);
        command.args(["serve", "--bind", &options.bind]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let outputs = Arc::new(Outputs::default());
        outputs.keep(Stream::Log, child.stderr.take().expect("a pipe"));
        outputs.keep(Stream::Printed, child.stdout.take().expect("a pipe"));
        match outputs.wait_for_address() {
            Some(address) => Self { child, address, outputs },
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server does not listen; its log:\n{}", outputs.text(Stream::Log));
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

/// What a server writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// Standard error.
    Log,
    /// Standard output.
    Printed,
}

/// What a server has written.
#[derive(Debug, Default)]
struct Outputs {
    state: Mutex<OutputState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutputState {
    texts: [String; 2],
    ended: [bool; 2],
    is_unwanted: [bool; 2],
    address: Option<SocketAddr>,
}

impl Outputs {
    /// Keeps what comes, in a thread of its own.
    fn keep(self: &Arc<Self>, stream: Stream, output: impl Read + Send + 'static) {
        let kept = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut state = kept.lock();
                state.address = state.address.or_else(|| address_in(stream, &line));
                state.texts[stream as usize].push_str(&line);
                state.texts[stream as usize].push('\n');
                kept.changed.notify_all();
                if state.is_unwanted[stream as usize] {
                    break;
                }
            }
            kept.lock().ended[stream as usize] = true;
            kept.changed.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().expect("a lock")
    }

    fn wait_for_address(&self) -> Option<SocketAddr> {
        self.wait_while(|state| state.address.is_none() && state.ended != [true, true]).address
    }

    fn wait_for_end(&self) {
        drop(self.wait_while(|state| state.ended != [true, true]));
    }

    fn wait_while(&self, is_early: impl FnMut(&mut OutputState) -> bool) -> MutexGuard<'_, OutputState> {
        self.changed.wait_timeout_while(self.lock(), PATIENCE, is_early).expect("a lock").0
    }

    fn text(&self, stream: Stream) -> String {
        self.lock().texts[stream as usize].clone()
    }
}

/// Where the server listens, if this line says so: a record for machines, or a line for people.
fn address_in(stream: Stream, line: &str) -> Option<SocketAddr> {
    let (before, after) = match stream {
        Stream::Log if line.contains(r#""message":"listening""#) => (r#""address":""#, '"'),
        Stream::Log => return None,
        Stream::Printed => ("Listening on  http://", ' '),
    };
    line.split_once(before)?.1.split(after).next()?.parse().ok()
}
