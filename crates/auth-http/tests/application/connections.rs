//! Connections of a server with slow handlers (docs/adr/0008-connections-end.md).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::{Error, rt, web};
use auth_core::permission::Rule::AllowAny;
use auth_http::routes::{Endpoint, Routes, standard};
use auth_http::{ConnectionLimits, ServeOptions, application, listen, serve};
use futures_util::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;

use crate::fixture::*;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server with one worker, whose handler waits before it reads the body of its request.
struct SlowServer {
    address: SocketAddr,
    handlers: Handlers,
}

#[derive(Clone)]
struct Handlers {
    begun: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

/// Answers with the length of the body.
async fn slow(handlers: web::Data<Handlers>, body: web::Payload) -> Result<String, Error> {
    handlers.begun.add_permits(1);
    handlers.released.acquire().await.unwrap().forget();
    let length = body.try_fold(0, async |length, bytes| Ok(length + bytes.len())).await?;
    Ok(length.to_string())
}

/// A hundred of these responses exceed all buffers between server and client.
async fn large() -> Vec<u8> {
    vec![b'x'; 256 * 1024]
}

impl SlowServer {
    fn start(limits: ConnectionLimits) -> Self {
        let handlers = Handlers { begun: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) };
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let (address, data) = (listener.local_addr().unwrap(), handlers.clone());
        let options = ServeOptions { workers: 1, limits, ..ServeOptions::default() };
        let server = serve(listener, &options, move || {
            let routes = Routes::new(standard())
                .with(Endpoint::new("/slow").rule(AllowAny).get(slow).post(slow))
                .with(Endpoint::new("/large").rule(AllowAny).get(large));
            application(&Fixture::new().routes(routes).with_data(web::Data::new(data.clone())))
        });
        rt::spawn(server.unwrap());
        Self { address, handlers }
    }

    async fn connect(&self, bytes: &str) -> Client {
        let mut client = Client(BufReader::new(TcpStream::connect(self.address).await.unwrap()));
        client.send(bytes).await;
        client
    }

    /// Waits until the worker has answered a request on another connection, and so has processed all earlier events.
    async fn settle(&self) {
        assert!(self.connect(HEALTH).await.answer().await.is_some());
    }

    async fn wait_for_handlers(&self, count: u32) {
        self.handlers.begun.acquire_many(count).await.unwrap().forget();
    }

    fn release(&self, count: usize) {
        self.handlers.released.add_permits(count);
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// Sends bytes. Errors are ignored: if the connection has ended, there is no answer.
    async fn send(&mut self, bytes: &str) {
        let _ = self.0.write_all(bytes.as_bytes()).await;
    }

    /// The head and the body of the next answer; `None` if the connection has ended.
    async fn answer(&mut self) -> Option<(String, String)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Some((head, String::from_utf8(body).unwrap()))
    }
}

/// Panics unless this is the answer of the slow handler to a body of this length.
#[track_caller]
fn assert_answered(answer: Option<(String, String)>, length: usize) {
    let (head, body) = answer.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, length.to_string());
}

/// A request to the slow handler, with the part of its body that is sent at first.
fn slow_request(length: usize, sent: &str) -> String {
    format!("POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{sent}")
}

#[actix_web::test]
async fn a_complete_request_that_is_read_late_keeps_its_connection() {
    let limits = ConnectionLimits { idle_timeout: Duration::ZERO, ..ConnectionLimits::default() };
    let server = SlowServer::start(limits);
    let mut client = server.connect(&slow_request(2, "{}")).await;
    server.wait_for_handlers(1).await;
    server.settle().await;
    server.release(1);
    assert_answered(client.answer().await, 2);
    client.send(HEALTH).await;
    assert!(client.answer().await.is_some());
}

#[actix_web::test]
async fn a_client_owes_a_body_only_once_its_handler_waits_for_it() {
    let server = SlowServer::start(ConnectionLimits { max_connections: 16, ..ConnectionLimits::default() });
    let mut early = server.connect(&slow_request(4, "[1")).await;
    server.wait_for_handlers(1).await;
    let mut crowd = Vec::new();
    for _ in 0..16 {
        crowd.push(server.connect("GET /slow HTTP/1.1\r\n").await);
    }
    server.settle().await;
    server.release(1);
    early.send(",2").await;
    assert_answered(early.answer().await, 4);
    // The oldest of the other connections was evicted instead.
    assert!(crowd[0].answer().await.is_none());
}

#[actix_web::test]
async fn a_response_over_the_soft_limit_announces_that_the_connection_closes() {
    let server = SlowServer::start(ConnectionLimits { max_connections: 16, ..ConnectionLimits::default() });
    let mut clients = Vec::new();
    // The soft limit is fifteen. The last connection is accepted too, because none is evictable.
    for _ in 0..16 {
        clients.push(server.connect(&slow_request(0, "")).await);
        server.wait_for_handlers(1).await;
    }
    server.release(16);
    let mut closing = 0;
    for client in &mut clients {
        let (head, _) = client.answer().await.unwrap();
        let is_announced = head.contains("\r\nconnection: close\r\n");
        closing += u32::from(is_announced);
        client.send(HEALTH).await;
        assert_eq!(client.answer().await.is_none(), is_announced, "{head}");
    }
    assert_eq!(closing, 1);
}

/// The handler of a pipelined request counts as running while the response before its own is written.
#[actix_web::test]
async fn connections_of_clients_that_do_not_read_are_evicted() {
    let hour = Duration::from_secs(60 * 60);
    let limits = ConnectionLimits { max_connections: 16, idle_timeout: hour, ..ConnectionLimits::default() };
    let server = SlowServer::start(limits);
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut client = server.connect(&"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100)).await;
        assert!(!client.0.fill_buf().await.unwrap().is_empty(), "there is no answer");
        crowd.push(client);
    }
    for _ in 0..3 {
        server.settle().await;
    }
}
