//! A TCP connection without an HTTP library, for requests that no library would send.
#![expect(clippy::expect_used, reason = "a server that neither answers nor closes fails the test")]

use std::net::{IpAddr, SocketAddr};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::{Answer, PATIENCE};

/// A connection.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    /// Bytes that were read but not parsed yet.
    buffer: Vec<u8>,
}

impl RawConnection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("a connection"), buffer: Vec::new() }
    }

    /// Connects from an IP address of this machine, such as 127.0.0.2.
    pub async fn open_from(client_ip: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((client_ip, 0).into()).expect("a client IP of this machine");
        Self { stream: socket.connect(address).await.expect("a connection"), buffer: Vec::new() }
    }

    /// Sends bytes repeatedly until the server closes the connection or has accepted `limit` bytes. Returns how many bytes the
    /// operating system has accepted.
    pub async fn send_until_closed(&mut self, bytes: &[u8], limit: usize) -> usize {
        let mut sent = 0;
        while sent < limit {
            let written = tokio::time::timeout(PATIENCE, self.stream.write(bytes)).await;
            match written.expect("the server neither reads nor closes") {
                Ok(written) => sent += written,
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends bytes. Ignores errors: the server may have closed the connection, and its answer says why.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Returns the next answer, or `None` if the connection closes first.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = parse(&self.buffer) {
                self.buffer.drain(..length);
                if !answer.status.is_informational() {
                    return Some(answer);
                }
            } else if !self.read_more().await {
                return None;
            }
        }
    }

    /// Waits for `100 Continue`: the server has started to handle the request and waits for its body.
    pub async fn wait_for_continue(&mut self) {
        loop {
            if let Some((answer, length)) = parse(&self.buffer) {
                assert!(answer.status == 100, "an answer before the body: {answer:?}");
                self.buffer.drain(..length);
                return;
            }
            assert!(self.read_more().await, "the connection closes before the body");
        }
    }

    /// Returns all answers until the server closes the connection.
    pub async fn answers_to_end(mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        answers
    }

    /// Returns `false` at the end of the connection, even if it broke.
    async fn read_more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("the server neither answers nor closes").unwrap_or(0) > 0
    }
}

/// Opens a connection, sends these bytes and returns the answer.
pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Option<Answer> {
    let mut connection = RawConnection::open(address).await;
    connection.send(request).await;
    connection.answer().await
}

/// Parses an answer at the start of `bytes`; returns it with its length. Its body must have a `Content-Length`.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head_length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_length]);
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse::<StatusCode>().expect("a status");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("a value"));
    }
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let body = bytes.get(head_length..head_length + length)?;
    Some((Answer { status, headers, text: String::from_utf8_lossy(body).into_owned() }, head_length + length))
}
