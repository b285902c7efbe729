//! An HTTP server that enforces [`ConnectionLimits`].

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server};
use actix_web::rt::net::TcpStream;
use tokio::net::TcpSocket;

use super::registry::Connections;
use super::stream::Stream;
use super::{ConnectionLimits, LINGER};
use crate::settings::TrustedProxies;

/// Most connections that the operating system queues before they are accepted.
const BACKLOG: u32 = 1_024;

/// Options of [`serve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeOptions {
    /// Number of worker threads; at least one.
    pub workers: usize,
    /// Time limit for requests in flight at a graceful shutdown, in seconds.
    pub shutdown_timeout_seconds: u64,
    /// Connection limits.
    pub limits: ConnectionLimits,
    /// Proxies whose connections carry requests of many clients.
    pub trusted_proxies: TrustedProxies,
}

impl Default for ServeOptions {
    /// One worker for each core, 10 seconds to shut down, the default limits, no proxies.
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            shutdown_timeout_seconds: 10,
            limits: ConnectionLimits::default(),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Listens on a bind address. Must be called within a Tokio runtime.
///
/// # Errors
/// If the socket cannot be created or bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves an application, as `actix_web::HttpServer` does, and enforces [`ConnectionLimits`]: the number of connections of
/// all workers together is bounded, a connection that makes no progress ends, and one whose request was answered before
/// its body was read ends a second later. The server does not listen for signals; stop it with its
/// [`handle`](Server::handle).
///
/// # Errors
/// If the listener cannot be used.
pub fn serve<F, I, S, B>(listener: TcpListener, options: &ServeOptions, application: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let (address, limits) = (listener.local_addr()?, options.limits);
    let connections = Arc::new(Connections::new(limits, options.trusted_proxies.clone()));
    // The limit of actix-server is per worker.
    let builder = Server::build()
        .workers(options.workers)
        .max_concurrent_connections(limits.max_connections.div_ceil(options.workers).max(1))
        .shutdown_timeout(options.shutdown_timeout_seconds)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let (connections, stopping) = (connections.clone(), stopping.clone());
        let application = application().into_factory().map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .keep_alive(KeepAlive::Timeout(limits.keep_alive))
            .client_request_timeout(limits.header_timeout)
            .client_disconnect_timeout(LINGER)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|stream: &Stream, extensions| {
                extensions.insert(stream.state().clone());
            })
            .finish(map_config(application, |()| AppConfig::default()));
        fn_service(move |io: TcpStream| {
            let peer = io.peer_addr().ok();
            let client = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
            let stream = Stream::new(io, client, connections.clone());
            async move { Ok((stream, Protocol::Http1, peer)) }
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
