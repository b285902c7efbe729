//! The stream of a connection: ends it when it has stood still for too long, or is asked to close.

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

/// A connection as actix-http reads and writes it. It reads the end of the stream where the connection has to end, which
/// actix-http answers by finishing what it is at and closing; where that waits for the client too, writing fails.
pub(super) struct Stream {
    io: TcpStream,
    peer: IpAddr,
    connections: Arc<Connections>,
    state: Arc<State>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether bytes were read last.
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

    /// Whether the connection has to end now. If not, the task is woken when it has to.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let limits = self.connections.limits();
        let Some((deadline, is_checked_again)) = self.state.deadline(limits, cx.waker()) else {
            return false;
        };
        if deadline <= Instant::now() {
            self.state.close();
            return true;
        }
        let deadline = if is_checked_again { deadline.min(Instant::now() + RECHECK) } else { deadline };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A timer that fires too early is set again then: most deadlines are put off by the next byte.
        if timer.deadline() > deadline || timer.is_elapsed() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                // Looks again: it may be the end, or only time to ask how many connections the client has.
                return self.is_over(cx);
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

impl Stream {
    /// Reads some bytes, and not more than `most`.
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
        if this.is_over(cx) {
            return Poll::Ready(Ok(()));
        }
        let most = this.state.may_read();
        if most == 0 {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        if this.poll_part(cx, buf, most)?.is_pending() {
            if !this.state.is_yielding() {
                return Poll::Pending;
            }
            if std::mem::take(&mut this.has_read) {
                // actix-http looks at what it has read before it reads again.
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
                if this.is_over(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
            }
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.state.flushed();
        // A request may have been answered since the last read, which set another deadline. If that is over, the state has
        // woken the task, and actix-http reads the end of the stream as soon as it reads at all.
        this.is_over(cx);
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
        // There is room for one.
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
    async fn a_connection_that_is_not_read_is_woken_once_to_close() {
        let (_client, mut stream) = accepted().await;
        let wakes = Arc::default();
        assert_eq!(flush(&mut stream, &wakes), 0);
        stream.state().close();
        for _ in 0..3 {
            assert_eq!(flush(&mut stream, &wakes), 1);
        }
    }

    #[actix_web::test]
    async fn a_connection_that_gives_way_does_so_when_its_handler_waits_for_the_body() {
        let (_client, mut stream) = accepted().await;
        let (state, wakes) = (stream.state().clone(), Arc::default());
        flush(&mut stream, &wakes);
        stream.connections.add(stream.peer);
        state.request_began(true);
        assert!(!state.is_yielding());
        assert_eq!(flush(&mut stream, &wakes), 1);
        state.body_awaited();
        assert!(state.is_yielding());
        assert_eq!(flush(&mut stream, &wakes), 2);
    }
}
