//! A mock SMTP server whose replies a test chooses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the server answers a command.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    Say(&'static str),
    /// Never.
    Silence,
    /// By hanging up.
    Close,
}

/// What a server says where it departs from taking everything. The commands are `CONNECT`, `EHLO`, `STARTTLS`, `AUTH`,
/// `MAIL`, `RCPT`, `DATA`, `.` (after the message) and `QUIT`.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) replies: HashMap<&'static str, Reply>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether TLS comes first.
    pub(crate) is_implicit: bool,
}

/// Everything that clients said, line by line.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// A server on a port of its own, for as long as the test runs.
pub(crate) async fn start(script: Script) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let hears = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that hangs up is part of some tests.
            tokio::spawn(serve(stream, script.clone(), hears.clone()));
        }
    });
    (address, heard)
}

async fn serve(stream: TcpStream, script: Script, heard: Heard) -> Option<()> {
    let mut plain = BufReader::new(stream);
    if !script.is_implicit {
        if !talk(&mut plain, &script, &heard, true).await? {
            return Some(());
        }
        heard.note("[upgraded]");
    }
    let secure = script.tls.as_ref()?.accept(plain.into_inner()).await.ok()?;
    heard.note("[TLS]");
    talk(&mut BufReader::new(secure), &script, &heard, script.is_implicit).await.map(drop)
}

/// One conversation; `true`: the client asked for TLS and may have it. `None`: one of the two hung up.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    heard: &Heard,
    greets: bool,
) -> Option<bool> {
    if greets {
        answer(stream, script, "CONNECT").await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        heard.note(line.trim_end());
        let verb = line.split_whitespace().next()?.to_ascii_uppercase();
        answer(stream, script, &verb).await?;
        match verb.as_str() {
            "STARTTLS" if script.tls.is_some() => return Some(true),
            "DATA" if !script.replies.contains_key("DATA") => {
                hear_message(stream, heard).await?;
                answer(stream, script, ".").await?;
            }
            "QUIT" => return Some(false),
            _ => (),
        }
    }
}

async fn hear_message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, heard: &Heard) -> Option<()> {
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.ok().filter(|read| *read > 0)?;
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with("\r\n"), "a bare line feed: {line:?}");
        if line == ".\r\n" {
            return Some(());
        }
        heard.note(line.trim_end_matches("\r\n"));
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    verb: &str,
) -> Option<()> {
    let usual = match verb {
        "CONNECT" => "220 mail.test ready",
        "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS",
        "STARTTLS" => "220 go ahead",
        "AUTH" => "235 2.7.0 welcome",
        "DATA" => "354 go on",
        "QUIT" => "221 goodbye",
        _ => "250 2.0.0 taken",
    };
    match script.replies.get(verb).copied().unwrap_or(Reply::Say(usual)) {
        Reply::Say(line) => stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?,
        Reply::Close => return None,
        // Until the client hangs up; what it says meanwhile is not heard.
        Reply::Silence => drop(stream.read_to_end(&mut Vec::new()).await.ok()?),
    }
    stream.flush().await.ok()
}
