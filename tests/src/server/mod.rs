//! A server process on a free port, in its own folder, with its output captured.
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

/// The signing secret of every test server, unless overridden.
pub const SIGNING_KEY: &str = "a-signing-key-for-tests-0123456789-abcdefghij";

/// The application secret of every test server, unless overridden.
pub const APPLICATION_SECRET: &str = "an-application-secret-for-tests-0123456789-abc";

/// The prefix of links in emails from a server [with SMTP](ServerOptions::with_smtp).
pub const BASE_URL: &str = "https://app.example.com";

/// The lowest cost that Argon2 accepts: the tests hash thousands of passwords.
const CHEAP_HASHING: [(&str, &str); 2] =
    [("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8"), ("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")];

/// How to start a server: profile and environment. `AUTH__*` variables of the test process are not inherited.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    profile: String,
    environment: Vec<(String, String)>,
    ip: Option<IpAddr>,
}

impl ServerOptions {
    /// Options for a profile and a database URL; `None` is SQLite in the server's own folder. Emails are written to files in
    /// that folder, password hashing is cheap, and registrations per client IP are practically unlimited.
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

    /// Sets an environment variable, replacing an earlier value.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets several environment variables.
    pub fn envs(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |options, (name, value)| options.env(name, value))
    }

    /// Hashes passwords at the cost that the profile sets.
    pub fn with_real_hashing(self) -> Self {
        CHEAP_HASHING.iter().fold(self, |options, (name, _)| options.without(name))
    }

    /// Sends emails to an SMTP server instead of writing files.
    pub fn with_smtp(self, smtp: &MockSmtp) -> Self {
        self.envs(&[
            ("AUTH__MAIL__TRANSPORT", "smtp"),
            ("AUTH__MAIL__SMTP_HOST", "127.0.0.1"),
            ("AUTH__MAIL__SMTP_PORT", &smtp.port().to_string()),
            ("AUTH__MAIL__SMTP_TLS", "none"),
            ("AUTH__MAIL__BASE_URL", BASE_URL),
            ("AUTH__MAIL__FROM", "Auth <no-reply@app.example.com>"),
        ])
    }

    /// Binds to this IP address instead of a unique loopback address.
    pub fn with_bind_ip(self, ip: impl Into<IpAddr>) -> Self {
        Self { ip: Some(ip.into()), ..self }
    }

    /// Removes a variable that [`new`](Self::new) or [`env`](Self::env) has set.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Starts a server in a new folder. `binary`: `env!("CARGO_BIN_EXE_server-under-test")`.
    pub fn start(self, binary: &str) -> TestServer {
        let dir = TempDir::new().expect("a temporary folder");
        let ip = self.ip.unwrap_or_else(|| unique_loopback_address().into());
        let running = Running::start(binary, &self, &dir, &SocketAddr::from((ip, 0)).to_string());
        TestServer { binary: binary.to_owned(), options: self, running: Mutex::new(running), dir }
    }

    /// The command that runs the program in a folder with this profile and environment.
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

    /// Runs the program in a new folder and waits until it exits. Panics if it takes too long.
    pub fn run_to_exit(&self, binary: &str, args: &[&str]) -> Output {
        let dir = TempDir::new().expect("a temporary folder");
        let mut command = self.command(binary, &dir);
        let mut child =
            command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        // Read both pipes while waiting: a full pipe would block the program.
        let stdout = read_in_background(child.stdout.take().expect("a pipe"));
        let stderr = read_in_background(child.stderr.take().expect("a pipe"));
        let exited = wait_for_exit(&mut child);
        let _ = child.kill();
        let status = child.wait().expect("a child to wait for");
        let (stdout, stderr) = (stdout.join().expect("an output"), stderr.join().expect("an output"));
        assert!(exited.is_some(), "{args:?} did not exit: {}", String::from_utf8_lossy(&stderr));
        Output { status, stdout, stderr }
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct TestServer {
    binary: String,
    options: ServerOptions,
    // Declared before the folder, so that it is dropped first.
    running: Mutex<Running>,
    dir: TempDir,
}

impl TestServer {
    /// Creates a client of this server.
    pub fn client(&self) -> TestClient {
        TestClient::new(&self.url())
    }

    /// Returns `http://127.x.y.z:PORT`, without a trailing slash. It stays the same after a restart.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns its bind address.
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// Closes the reading end of the log after the next line, as if the log collector had died.
    pub fn stop_reading_log(&self) {
        self.running().outputs.close(Stream::Log);
    }

    /// Returns whether the log is complete: the server has ended, or its log is no longer read.
    pub fn log_is_closed(&self) -> bool {
        self.running().outputs.has_ended(Stream::Log)
    }

    /// Returns its folder; a SQLite database of its own is `auth-data/auth.sqlite3` in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns its process ID.
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// Returns the log so far, one JSON object per line. It is complete after [`wait`](Self::wait).
    pub fn log(&self) -> String {
        self.running().outputs.text(Stream::Log)
    }

    /// Returns the standard output so far. It is complete after [`wait`](Self::wait).
    pub fn stdout(&self) -> String {
        self.running().outputs.text(Stream::Stdout)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().expect("a lock")
    }

    /// Runs another command of the program in the same folder and environment.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.options.command(&self.binary, &self.dir).args(args).output().expect("the program runs")
    }

    /// Like [`run`](Self::run), with standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Output {
        let mut command = self.options.command(&self.binary, &self.dir);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        // Fails if the program exits without reading all of it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("an output")
    }

    /// Runs `users ACTION USERNAME`. Panics if it fails.
    pub fn users(&self, action: &str, username: &str) {
        let output = self.run(["users", action, username]);
        assert!(output.status.success(), "users {action} {username}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Kills the server (SIGKILL).
    pub fn kill(&self) {
        self.running().kill();
    }

    /// Sends SIGTERM without waiting for the end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal without waiting for the end.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until the server exits.
    pub fn wait(&self) -> ExitStatus {
        let mut running = self.running();
        let status = wait_for_exit(&mut running.child).expect("the server did not exit");
        running.outputs.wait_for_end();
        status
    }

    /// Kills the server and starts it again on the same port and data.
    pub fn restart(&self) {
        let mut running = self.running();
        running.kill();
        let bind = running.address.to_string();
        *running = Running::start(&self.binary, &self.options, &self.dir, &bind);
    }
}

/// Reads to the end on a new thread.
fn read_in_background(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits until a process exits; `None` if it takes too long.
fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Returns a loopback address that no other server of this process has used. The kernel reuses the port of a server that
/// has ended: on one shared address, a retrying client could reach the server of another test.
fn unique_loopback_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST; // Elsewhere the rest of 127.0.0.0/8 is not configured by default.
    }
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process_octet = 1 + (std::process::id() % 254) as u8;
    Ipv4Addr::new(127, process_octet, high, low)
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
        outputs.capture(Stream::Log, child.stderr.take().expect("a pipe"));
        outputs.capture(Stream::Stdout, child.stdout.take().expect("a pipe"));
        match outputs.wait_for_address() {
            Some(address) => Self { child, address, outputs },
            None => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server did not start; its log:\n{}", outputs.text(Stream::Log));
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
