//! A mock SMTP server with configurable replies.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the server replies to a command.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Line(&'static str),
    /// Never replies.
    Silence,
    /// Closes the connection.
    Close,
}

/// The replies that differ from those of a server that accepts everything. The keys are `CONNECT`, `EHLO`, `STARTTLS`,
/// `AUTH`, `MAIL`, `RCPT`, `DATA`, `.` (after the message) and `QUIT`.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) replies: HashMap<&'static str, Reply>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether TLS starts immediately instead of with `STARTTLS`.
    pub(crate) is_implicit: bool,
}

/// All lines received from clients.
#[derive(Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    fn record(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// Starts a server on a free port. It runs until the test ends.
pub(crate) async fn start(script: Script) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    let recorder = received.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The result is ignored: in some tests the client closes the connection.
            tokio::spawn(serve(stream, script.clone(), recorder.clone()));
        }
    });
    (address, received)
}

/// Serves one connection. `None` if it was closed.
async fn serve(stream: TcpStream, script: Script, received: Received) -> Option<()> {
    let mut plain = BufReader::new(stream);
    if !script.is_implicit {
        if !session(&mut plain, &script, &received, true).await? {
            return Some(());
        }
        received.record("[upgraded]");
    }
    let secure = script.tls.as_ref()?.accept(plain.into_inner()).await.ok()?;
    received.record("[TLS]");
    session(&mut BufReader::new(secure), &script, &received, script.is_implicit).await.map(drop)
}

/// Serves one SMTP session. Returns whether the client has sent `STARTTLS` and TLS must start, or `None` if either side
/// has closed the connection.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    received: &Received,
    greets: bool,
) -> Option<bool> {
    if greets {
        reply(stream, script, "CONNECT").await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        received.record(line.trim_end());
        let verb = line.split_whitespace().next()?.to_ascii_uppercase();
        reply(stream, script, &verb).await?;
        match verb.as_str() {
            "STARTTLS" if script.tls.is_some() => return Some(true),
            "DATA" if !script.replies.contains_key("DATA") => {
                receive_message(stream, received).await?;
                reply(stream, script, ".").await?;
            }
            "QUIT" => return Some(false),
            _ => (),
        }
    }
}

async fn receive_message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, received: &Received) -> Option<()> {
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.ok().filter(|read| *read > 0)?;
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with("\r\n"), "a bare line feed: {line:?}");
        if line == ".\r\n" {
            return Some(());
        }
        received.record(line.trim_end_matches("\r\n"));
    }
}

async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    verb: &str,
) -> Option<()> {
    let default = match verb {
        "CONNECT" => "220 mail.test ready",
        "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS",
        "STARTTLS" => "220 go ahead",
        "AUTH" => "235 2.7.0 welcome",
        "DATA" => "354 go on",
        "QUIT" => "221 goodbye",
        _ => "250 2.0.0 taken",
    };
    match script.replies.get(verb).copied().unwrap_or(Reply::Line(default)) {
        Reply::Line(line) => stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?,
        Reply::Close => return None,
        // Reads and discards everything until the client closes the connection.
        Reply::Silence => drop(stream.read_to_end(&mut Vec::new()).await.ok()?),
    }
    stream.flush().await.ok()
}
