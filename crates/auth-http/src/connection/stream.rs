//! The stream of a connection, which ends when the connection makes no progress or is evicted.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::RECHECK;
use super::registry::Connections;
use super::state::State;

/// A connection as actix-http reads and writes it. When the connection must end, reading reports the end of the stream:
/// actix-http then finishes the current response and closes. If that waits for the client too, writing fails.
pub(super) struct Stream {
    io: TcpStream,
    peer: IpAddr,
    connections: Arc<Connections>,
    state: Arc<State>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the last read returned bytes.
    has_read: bool,
}

impl Stream {
    pub(super) fn new(io: TcpStream, peer: IpAddr, connections: Arc<Connections>) -> Self {
        let state = connections.add(peer);
        Self { io, peer, connections, state, timer: None, has_read: false }
    }

    pub(super) const fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Whether the connection must end now. Otherwise, arranges for the task to be woken at the deadline.
    fn has_expired(&mut self, cx: &mut Context<'_>) -> bool {
        let limits = self.connections.limits();
        let Some((deadline, may_move_closer)) = self.state.deadline(limits, cx.waker()) else {
            return false;
        };
        if deadline <= Instant::now() {
            self.state.close();
            return true;
        }
        let deadline = if may_move_closer { deadline.min(Instant::now() + RECHECK) } else { deadline };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A timer that would fire too early is left alone and reset when it fires: most deadlines are extended by the next
        // byte.
        if timer.deadline() > deadline || timer.is_elapsed() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                // The real deadline may be later: this may only be the recheck of the limit of the client IP.
                return self.has_expired(cx);
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

impl Stream {
    /// Reads at most `most` bytes.
    fn poll_part(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<()>> {
        if most >= buf.remaining() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connections.remove(self.peer, &self.state);
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.has_expired(cx) {
            return Poll::Ready(Ok(()));
        }
        let most = this.state.may_read();
        if most == 0 {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        if this.poll_part(cx, buf, most)?.is_pending() {
            if !this.state.is_evicting() {
                return Poll::Pending;
            }
            if std::mem::take(&mut this.has_read) {
                // Let actix-http process the bytes of the last read first: they may complete a request.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            this.state.close();
        }
        let read = buf.filled().len() - before;
        this.has_read = read > 0;
        this.state.received(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => {
                this.state.sent();
                Poll::Ready(Ok(written))
            }
            Poll::Pending => {
                this.state.blocked();
                if this.has_expired(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
            }
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.state.flushed();
        // A response since the last read has changed the deadline, so the timer must be set again. If the deadline has
        // passed, the state has woken the task, and the next read reports the end of the stream.
        this.has_expired(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use tokio::net::TcpListener;

    use super::super::ConnectionLimits;
    use super::*;
    use crate::settings::TrustedProxies;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn accepted() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (io, peer) = listener.accept().await.unwrap();
        // The soft limit is one.
        let limits = ConnectionLimits { max_connections: 2, ..ConnectionLimits::default() };
        let connections = Connections::new(limits, TrustedProxies::default());
        (client, Stream::new(io, peer.ip(), Arc::new(connections)))
    }

    fn flush(stream: &mut Stream, wakes: &Arc<Wakes>) -> usize {
        let waker = Waker::from(wakes.clone());
        assert!(Pin::new(stream).poll_flush(&mut Context::from_waker(&waker)).is_ready());
        wakes.0.load(Ordering::Relaxed)
    }

    /// actix-http does not read while its buffers are full, but flushes whenever the task wakes.
    #[actix_web::test]
    async fn closing_wakes_the_task_once() {
        let (_client, mut stream) = accepted().await;
        let wakes = Arc::default();
        assert_eq!(flush(&mut stream, &wakes), 0);
        stream.state().close();
        for _ in 0..3 {
            assert_eq!(flush(&mut stream, &wakes), 1);
        }
    }

    #[actix_web::test]
    async fn a_connection_is_evicted_once_its_handler_waits_for_the_body() {
        let (_client, mut stream) = accepted().await;
        let (state, wakes) = (stream.state().clone(), Arc::default());
        flush(&mut stream, &wakes);
        stream.connections.add(stream.peer);
        state.request_began(true);
        assert!(!state.is_evicting());
        assert_eq!(flush(&mut stream, &wakes), 1);
        state.body_awaited();
        assert!(state.is_evicting());
        assert_eq!(flush(&mut stream, &wakes), 2);
    }
}
