//! The connection on which STARTTLS is negotiated.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// A connection that is read byte by byte until TLS starts.
///
/// An attacker on the network could append replies to the last plaintext reply. From a read buffer, they would be taken
/// for replies received over TLS (RFC 3207 §4.2 requires them to be discarded). Unbuffered, they become part of the
/// handshake, which fails.
#[derive(Debug)]
pub(super) struct UnbufferedStream {
    stream: TcpStream,
    is_plaintext: bool,
}

/// The first byte of a TLS handshake (RFC 8446 §5.1). No SMTP command starts with it.
const HANDSHAKE: u8 = 22;

impl UnbufferedStream {
    /// Connects to `host`, trying its IP addresses in turn, each for at most `connect_timeout`.
    ///
    /// # Errors
    /// That of the last IP address, or of the name resolution.
    pub(super) async fn connect(host: &str, port: u16, connect_timeout: Duration) -> io::Result<Self> {
        let mut last_error = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host((host, port)).await? {
            match timeout(connect_timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(Self { stream, is_plaintext: true }),
                Ok(Err(error)) => last_error = error,
                Err(_) => last_error = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last_error)
    }
}

impl AsyncRead for UnbufferedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        if !this.is_plaintext || buffer.remaining() == 0 {
            return stream.poll_read(cx, buffer);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(stream.poll_read(cx, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UnbufferedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // The client starts the handshake, after it has read the last plaintext reply.
        this.is_plaintext &= bytes.first() != Some(&HANDSHAKE);
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for UnbufferedStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
