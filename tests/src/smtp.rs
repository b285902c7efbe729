//! An SMTP server on the loopback interface that records emails, and can stall or refuse them.
#![expect(clippy::expect_used, clippy::panic, reason = "a test whose email does not arrive has failed")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use mail_parser::MessageParser;
use mailin_embedded::{Handler, Response, Server, SslConfig, response};
use tokio::net::TcpSocket;

use crate::PATIENCE;

/// A received email.
#[derive(Clone, Debug)]
pub struct ReceivedEmail {
    /// The recipients in the envelope.
    pub to: Vec<String>,
    /// The `Subject` header.
    pub subject: String,
    /// The `Message-ID` header.
    pub id: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The whole message.
    pub raw: String,
}

impl ReceivedEmail {
    fn read(to: Vec<String>, raw: &[u8]) -> Self {
        let message = MessageParser::default().parse(raw).expect("a message");
        Self {
            to,
            subject: message.subject().expect("a subject").to_owned(),
            id: message.message_id().expect("a Message-ID").to_owned(),
            text: message.body_text(0).expect("a text part").into_owned(),
            html: message.body_html(0).expect("an HTML part").into_owned(),
            raw: String::from_utf8_lossy(raw).into_owned(),
        }
    }

    /// Returns the only link, which is on a line of its own.
    pub fn link(&self) -> &str {
        let mut links = self.text.lines().filter(|line| line.starts_with("http"));
        let link = links.next().unwrap_or_else(|| panic!("no link in {}", self.text));
        assert_eq!(links.next(), None, "more than one link in {}", self.text);
        link
    }

    /// Returns the link token at the end of the link.
    pub fn token(&self) -> &str {
        self.link().split_once("token=").expect("a token").1
    }

    /// Returns the 6-digit code.
    pub fn code(&self) -> &str {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
        self.text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("no code in {}", self.text))
    }
}

/// The state shared by all connections.
#[derive(Debug, Default)]
struct State {
    received: Vec<ReceivedEmail>,
    /// Recipients that are refused permanently (550).
    refused: Vec<String>,
    /// How many of the next messages are refused temporarily (451).
    fail_temporarily: usize,
    /// Whether answers to messages are withheld.
    is_stalled: bool,
    /// How many clients wait for an answer to a message.
    waiting: usize,
}

/// A mock SMTP server. Clones are handles to the same server.
#[derive(Clone, Debug)]
pub struct MockSmtp {
    shared: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
    /// Reserves the port while nothing listens on it.
    reserved: Arc<Mutex<Option<TcpSocket>>>,
}

impl MockSmtp {
    /// Reserves a port that nothing listens on yet: connections are refused.
    pub fn closed() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = socket.local_addr().expect("an address");
        Self { shared: Arc::default(), address, reserved: Arc::new(Mutex::new(Some(socket))) }
    }

    /// Starts a server.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let smtp = Self { shared: Arc::default(), address, reserved: Arc::default() };
        smtp.serve(listener);
        smtp
    }

    /// Starts listening, until the process ends. Panics if it already listens.
    pub fn listen(&self) {
        let socket = self.reserved.lock().expect("a lock").take().expect("a port that nothing listens on");
        let listener = socket.listen(128).and_then(|listener| listener.into_std()).expect("a listener");
        listener.set_nonblocking(false).expect("a setting");
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        std::thread::spawn(move || {
            let connection = Connection { shared, to: Vec::new(), raw: Vec::new() };
            let mut server = Server::new(connection);
            server.with_name("smtp.test").with_num_threads(16).with_tcp_listener(listener);
            server.with_ssl(SslConfig::None).expect("no TLS");
            server.serve().expect("the SMTP server runs");
        });
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Refuses a recipient from now on (550).
    pub fn refuse(&self, recipient: &str) {
        self.lock().refused.push(recipient.to_owned());
    }

    /// Accepts every recipient again.
    pub fn accept_all(&self) {
        self.lock().refused.clear();
    }

    /// Refuses the next `count` messages temporarily (451).
    pub fn fail_temporarily(&self, count: usize) {
        self.lock().fail_temporarily = count;
    }

    /// Sets whether answers to messages are withheld.
    pub fn set_stalled(&self, is_stalled: bool) {
        self.lock().is_stalled = is_stalled;
        self.shared.1.notify_all();
    }

    /// Blocks until a client waits for an answer to a message.
    pub fn wait_for_a_waiting_client(&self) {
        self.wait_while("a client sends a message", |state| state.waiting == 0);
    }

    /// Returns all emails received so far.
    pub fn received(&self) -> Vec<ReceivedEmail> {
        self.lock().received.clone()
    }

    /// Returns all emails received so far for one email address.
    pub fn received_to(&self, address: &str) -> Vec<ReceivedEmail> {
        self.received().into_iter().filter(|email| email.to == [address]).collect()
    }

    /// Waits until `count` emails to an email address have arrived; returns the last of them.
    pub async fn wait_for_nth(&self, address: &str, count: usize) -> ReceivedEmail {
        let (smtp, address) = (self.clone(), address.to_owned());
        let wait = move || {
            let is_missing = |state: &mut State| {
                state.received.iter().filter(|email| email.to == [address.as_str()]).count() < count
            };
            smtp.wait_while(&format!("{count} emails to {address}"), is_missing);
            smtp.received_to(&address).swap_remove(count - 1)
        };
        tokio::task::spawn_blocking(wait).await.expect("an email arrives")
    }

    /// Waits for an email to this email address whose subject contains `text`.
    pub async fn wait_for_subject(&self, address: &str, text: &str) -> ReceivedEmail {
        let (smtp, address, text) = (self.clone(), address.to_owned(), text.to_owned());
        let wait = move || {
            let matches = |email: &&ReceivedEmail| email.to == [address.as_str()] && email.subject.contains(&text);
            smtp.wait_while(&format!("{text:?} to {address}"), |state| !state.received.iter().any(|one| matches(&one)));
            smtp.received().iter().rfind(matches).cloned()
        };
        tokio::task::spawn_blocking(wait).await.expect("an email arrives").expect("it has arrived")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("a lock")
    }

    fn wait_while(&self, what: &str, is_pending: impl FnMut(&mut State) -> bool) {
        let (state, timeout) = self.shared.1.wait_timeout_while(self.lock(), PATIENCE, is_pending).expect("a lock");
        let arrived: Vec<_> = state.received.iter().map(|email| (&email.to, &email.subject)).collect();
        assert!(!timeout.timed_out(), "timed out: {what}; received {arrived:?}");
    }
}

/// The state of one connection.
#[derive(Clone)]
struct Connection {
    shared: Arc<(Mutex<State>, Condvar)>,
    to: Vec<String>,
    raw: Vec<u8>,
}

impl Handler for Connection {
    fn mail(&mut self, _: IpAddr, _: &str, _: &str) -> Response {
        self.to.clear();
        self.raw.clear();
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        let state = self.shared.0.lock().expect("a lock");
        if state.refused.iter().any(|refused| refused == to) {
            return response::NO_MAILBOX;
        }
        self.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.raw.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let (lock, changed) = &*self.shared;
        let mut state = lock.lock().expect("a lock");
        state.waiting += 1;
        changed.notify_all();
        state = changed.wait_while(state, |state| state.is_stalled).expect("a lock");
        state.waiting -= 1;
        if state.fail_temporarily > 0 {
            state.fail_temporarily -= 1;
            return response::INTERNAL_ERROR;
        }
        state.received.push(ReceivedEmail::read(self.to.clone(), &self.raw));
        changed.notify_all();
        response::OK
    }
}
