//! A mail server on loopback that keeps what arrives, and can be told to be slow or to refuse.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use mail_parser::MessageParser;
use mailin_embedded::{Handler, Response, Server, SslConfig, response};

/// How long something may take to arrive: far longer than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// The recipients of the envelope.
    pub(crate) to: Vec<String>,
    /// The header `Subject`.
    pub(crate) subject: String,
    /// The header `Message-ID`.
    pub(crate) id: String,
    /// The plain text part.
    pub(crate) text: String,
    /// The HTML part.
    pub(crate) html: String,
    /// All of it.
    pub(crate) raw: String,
}

impl Letter {
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

    /// The link in it: it stands on a line of its own.
    pub(crate) fn link(&self) -> &str {
        let mut links = self.text.lines().filter(|line| line.starts_with("http"));
        let link = links.next().unwrap_or_else(|| panic!("no link in {}", self.text));
        assert_eq!(links.next(), None, "more than one link in {}", self.text);
        link
    }

    /// The token at the end of the link.
    pub(crate) fn token(&self) -> &str {
        self.link().split_once("token=").expect("a token").1
    }

    /// The six digits in it.
    pub(crate) fn code(&self) -> &str {
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
        self.text.split_whitespace().find(is_code).unwrap_or_else(|| panic!("no code in {}", self.text))
    }
}

/// How the server behaves.
#[derive(Debug, Default)]
struct State {
    letters: Vec<Letter>,
    /// Recipients that are refused for good.
    refused: Vec<String>,
    /// How many mails are put off before one is taken.
    put_off: usize,
    /// Whether mails are taken at all for now; otherwise whoever brings one waits.
    is_stuck: bool,
    /// How many wait so.
    waiting: usize,
}

/// A mail server.
#[derive(Clone)]
pub(crate) struct Postbox {
    shared: Arc<(Mutex<State>, Condvar)>,
    address: SocketAddr,
}

impl Postbox {
    /// A port of its own where nobody listens yet.
    pub(crate) fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self { shared: Arc::default(), address: listener.local_addr().expect("an address") }
    }

    /// One that listens.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let postbox = Self { shared: Arc::default(), address: listener.local_addr().expect("an address") };
        postbox.serve(listener);
        postbox
    }

    /// Listens from now on, until the end of the process.
    pub(crate) fn listen(&self) {
        self.serve(TcpListener::bind(self.address).expect("the port is still free"));
    }

    fn serve(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        std::thread::spawn(move || {
            let clerk = Clerk { shared, to: Vec::new(), raw: Vec::new() };
            let mut server = Server::new(clerk);
            server.with_name("postbox.test").with_num_threads(16).with_tcp_listener(listener);
            server.with_ssl(SslConfig::None).expect("no TLS");
            server.serve().expect("the mail server runs");
        });
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Refuses a recipient from now on.
    pub(crate) fn refuse(&self, recipient: &str) {
        self.lock().refused.push(recipient.to_owned());
    }

    /// Takes every recipient again.
    pub(crate) fn refuse_nobody(&self) {
        self.lock().refused.clear();
    }

    /// Puts the next so many mails off (451).
    pub(crate) fn put_off(&self, count: usize) {
        self.lock().put_off = count;
    }

    /// Whether whoever brings a mail has to wait.
    pub(crate) fn set_stuck(&self, is_stuck: bool) {
        self.lock().is_stuck = is_stuck;
        self.shared.1.notify_all();
    }

    /// Waits until somebody waits with a mail.
    pub(crate) fn wait_for_a_waiting_one(&self) {
        self.wait_while("somebody brings a mail", |state| state.waiting == 0);
    }

    /// All that arrived so far.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.lock().letters.clone()
    }

    /// All that arrived so far for one address.
    pub(crate) fn letters_to(&self, address: &str) -> Vec<Letter> {
        self.letters().into_iter().filter(|letter| letter.to == [address]).collect()
    }

    /// Waits for so many mails to an address, and gives the last of them.
    pub(crate) async fn nth(&self, address: &str, count: usize) -> Letter {
        let (postbox, address) = (self.clone(), address.to_owned());
        let wait = move || {
            let is_missing = |state: &mut State| {
                state.letters.iter().filter(|letter| letter.to == [address.as_str()]).count() < count
            };
            postbox.wait_while(&format!("{count} mails to {address}"), is_missing);
            postbox.letters_to(&address).swap_remove(count - 1)
        };
        tokio::task::spawn_blocking(wait).await.expect("a mail arrives")
    }

    /// Waits for a mail to an address whose subject holds a text.
    pub(crate) async fn with_subject(&self, address: &str, text: &str) -> Letter {
        let (postbox, address, text) = (self.clone(), address.to_owned(), text.to_owned());
        let wait = move || {
            let is_it = |letter: &&Letter| letter.to == [address.as_str()] && letter.subject.contains(&text);
            postbox.wait_while(&format!("{text:?} to {address}"), |state| !state.letters.iter().any(|one| is_it(&one)));
            postbox.letters().iter().rfind(is_it).cloned()
        };
        tokio::task::spawn_blocking(wait).await.expect("a mail arrives").expect("it has arrived")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("a lock")
    }

    fn wait_while(&self, what: &str, is_early: impl FnMut(&mut State) -> bool) {
        let (state, timeout) = self.shared.1.wait_timeout_while(self.lock(), PATIENCE, is_early).expect("a lock");
        let arrived: Vec<_> = state.letters.iter().map(|letter| (&letter.to, &letter.subject)).collect();
        assert!(!timeout.timed_out(), "waited in vain: {what}; there is {arrived:?}");
    }
}

/// Who speaks with one client.
#[derive(Clone)]
struct Clerk {
    shared: Arc<(Mutex<State>, Condvar)>,
    to: Vec<String>,
    raw: Vec<u8>,
}

impl Handler for Clerk {
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
        state = changed.wait_while(state, |state| state.is_stuck).expect("a lock");
        state.waiting -= 1;
        if state.put_off > 0 {
            state.put_off -= 1;
            return response::INTERNAL_ERROR;
        }
        state.letters.push(Letter::read(self.to.clone(), &self.raw));
        changed.notify_all();
        response::OK
    }
}
