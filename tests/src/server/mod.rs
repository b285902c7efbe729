//! A server process: on a free port, in a folder of its own, with its output kept.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot have its server has failed")]

mod output;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{MockSmtp, PATIENCE, TestClient};
use output::{Outputs, Stream};

/// The secret that every test server signs with, unless told otherwise.
pub const SIGNING_KEY: &str = "a-signing-key-for-tests-0123456789-abcdefghij";

/// The application secret of every test server, unless told otherwise.
pub const APPLICATION_SECRET: &str = "an-application-secret-for-tests-0123456789-abc";

/// What links in emails begin with where a server sends [to SMTP](ServerOptions::emailing_to).
pub const BASE_URL: &str = "https://app.example.com";

/// The least that Argon2 takes: tests hash some thousand passwords.
const CHEAP_HASHING: [(&str, &str); 2] =
    [("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8"), ("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")];

/// How to start a server: its profile, and its environment. Nothing of the caller's `AUTH__*` gets in.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    profile: String,
    environment: Vec<(String, String)>,
    ip: Option<IpAddr>,
}

impl ServerOptions {
    /// A server of a profile on the database with this URL; `None`: SQLite in the server's own folder. It writes its
    /// emails as files into its own folder, passwords cost next to nothing to hash, and one client IP may register as
    /// many users as it likes.
    pub fn new(profile: &str, database_url: Option<&str>) -> Self {
        let options = Self { profile: profile.to_owned(), environment: Vec::new(), ip: None };
        let options = options.env("AUTH__TOKENS__SIGNING_KEY", SIGNING_KEY).env("AUTH__LOG__FORMAT", "json");
        let options = options.env("AUTH__SECRETS__KEY", APPLICATION_SECRET).env("AUTH__MAIL__TRANSPORT", "folder");
        // All users of a test come from one client IP.
        let options = options.env("AUTH__THROTTLE__REGISTRATIONS_PER_CLIENT_IP_PER_HOUR", "1000000");
        let options = options.envs(&CHEAP_HASHING);
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

    /// Sets several variables.
    pub fn envs(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |options, (name, value)| options.env(name, value))
    }

    /// Hashes passwords at the cost that the profile sets.
    pub fn with_real_hashing(self) -> Self {
        CHEAP_HASHING.iter().fold(self, |options, (name, _)| options.without(name))
    }

    /// Sends emails to an SMTP server in place of the folder.
    pub fn emailing_to(self, smtp: &MockSmtp) -> Self {
        self.envs(&[
            ("AUTH__MAIL__TRANSPORT", "smtp"),
            ("AUTH__MAIL__SMTP_HOST", "127.0.0.1"),
            ("AUTH__MAIL__SMTP_PORT", &smtp.port().to_string()),
            ("AUTH__MAIL__SMTP_TLS", "none"),
            ("AUTH__MAIL__BASE_URL", BASE_URL),
            ("AUTH__MAIL__FROM", "Auth <no-reply@app.example.com>"),
        ])
    }

    /// Binds to this IP address in place of a loopback address of the server's own.
    pub fn bound_to(self, ip: impl Into<IpAddr>) -> Self {
        Self { ip: Some(ip.into()), ..self }
    }

    /// Removes a variable that [`new`](Self::new) or [`env`](Self::env) set.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Makes a folder and starts a server in it. `binary`: `env!("CARGO_BIN_EXE_server-under-test")`.
    pub fn start(self, binary: &str) -> TestServer {
        let dir = TempDir::new().expect("a temporary folder");
        let ip = self.ip.unwrap_or_else(|| own_loopback_address().into());
        let running = Running::start(binary, &self, &dir, &SocketAddr::from((ip, 0)).to_string());
        TestServer { binary: binary.to_owned(), options: self, running: Mutex::new(running), dir }
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
pub struct TestServer {
    binary: String,
    options: ServerOptions,
    // Before the folder: it ends first.
    running: Mutex<Running>,
    dir: TempDir,
}

impl TestServer {
    /// A client of it.
    pub fn client(&self) -> TestClient {
        TestClient::new(&self.url())
    }

    /// `http://127.x.y.z:PORT`, without a slash at its end. It stays the same after a restart.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its bind address.
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// Closes the log at the reader's end with the next line that is written, as when the collector of logs has died.
    pub fn stop_reading_log(&self) {
        self.running().outputs.close(Stream::Log);
    }

    /// Whether nothing more can come in the log: the server has ended, or the log is not read.
    pub fn log_is_closed(&self) -> bool {
        self.running().outputs.has_ended(Stream::Log)
    }

    /// Its folder: its own SQLite file, if it has one, is `auth-data/auth.sqlite3` in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// All that it has written to its log so far: one JSON object a line. After [`wait`](Self::wait) it is whole.
    pub fn log(&self) -> String {
        self.running().outputs.text(Stream::Log)
    }

    /// All that it has written to its standard output so far. After [`wait`](Self::wait) it is whole.
    pub fn printed(&self) -> String {
        self.running().outputs.text(Stream::Printed)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().expect("a lock")
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

    /// Ends it with SIGKILL, whatever it does.
    pub fn kill(&self) {
        self.running().kill();
    }

    /// Sends SIGTERM, and does not wait.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, and does not wait.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn wait(&self) -> ExitStatus {
        let mut running = self.running();
        let status = ends_in_time(&mut running.child).expect("the server ends");
        running.outputs.wait_for_end();
        status
    }

    /// Kills it and starts it again on the same port and data.
    pub fn restart(&self) {
        let mut running = self.running();
        running.kill();
        let bind = running.address.to_string();
        *running = Running::start(&self.binary, &self.options, &self.dir, &bind);
    }
}

/// Reads to the end, on a thread of its own.
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

/// A loopback address that no other server of this process has had. The kernel hands out the port of a server that has
/// ended to the next one: on one address, a client that still retries would reach a server of another test.
fn own_loopback_address() -> Ipv4Addr {
    static STARTED: AtomicU16 = AtomicU16::new(1);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST; // Others do not answer for the rest of 127.0.0.0/8 unless configured to.
    }
    let [high, low] = STARTED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let of_process = 1 + (std::process::id() % 254) as u8;
    Ipv4Addr::new(127, of_process, high, low)
}

#[derive(Debug)]
struct Running {
    child: Child,
    address: SocketAddr,
    outputs: Arc<Outputs>,
}

impl Running {
    fn start(binary: &str, options: &ServerOptions, dir: &TempDir, bind: &str) -> Self {
        let mut command = options.command(binary, dir);
        command.args(["serve", "--bind", bind]).stdout(Stdio::piped()).stderr(Stdio::piped());
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
