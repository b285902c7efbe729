//! A connection without an HTTP library in between, for requests that no library would send.
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
    /// Read, and not yet made into an answer.
    rest: Vec<u8>,
}

impl RawConnection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("a connection"), rest: Vec::new() }
    }

    /// Connects from a client IP of this machine, such as 127.0.0.2.
    pub async fn open_from(client_ip: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((client_ip, 0).into()).expect("a client IP of this machine");
        Self { stream: socket.connect(address).await.expect("a connection"), rest: Vec::new() }
    }

    /// Sends bytes again and again, until the server has closed the connection or has taken `most` bytes. Gives how many it
    /// has taken, as far as the operating system knows.
    pub async fn send_until_closed(&mut self, bytes: &[u8], most: usize) -> usize {
        let mut taken = 0;
        while taken < most {
            let written = tokio::time::timeout(PATIENCE, self.stream.write(bytes)).await;
            match written.expect("the server neither reads nor closes") {
                Ok(written) => taken += written,
                Err(_) => break,
            }
        }
        taken
    }

    /// Sends bytes. An error is ignored: the server may have closed the connection, and its answer says why.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next answer; `None` if the connection ends before one.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = parse(&self.rest) {
                self.rest.drain(..length);
                if !answer.status.is_informational() {
                    return Some(answer);
                }
            } else if !self.read_more().await {
                return None;
            }
        }
    }

    /// Waits until the server asks for the body of a request that expects `100-continue`: it has begun with that request.
    pub async fn wait_for_continue(&mut self) {
        loop {
            if let Some((answer, length)) = parse(&self.rest) {
                assert!(answer.status == 100, "an answer before the body: {answer:?}");
                self.rest.drain(..length);
                return;
            }
            assert!(self.read_more().await, "the connection closes before the body");
        }
    }

    /// Every answer until the server closes the connection.
    pub async fn answers_to_end(mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        answers
    }

    /// `false` at the end of the connection, also if it was cut.
    async fn read_more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.rest)).await;
        read.expect("the server neither answers nor closes").unwrap_or(0) > 0
    }
}

/// One request with these bytes, and the answer to it.
pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Option<Answer> {
    let mut connection = RawConnection::open(address).await;
    connection.send(request).await;
    connection.answer().await
}

/// An answer at the start of some bytes, and how long it is. Answers here have a length, or no body.
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
