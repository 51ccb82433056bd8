//! Connections of the endpoint: a limit on their number, TLS where it is asked for, and a handle by
//! which whoever answers a request can close its connection without an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Connections at one time; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// Pause after an accept that had no room, for example because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts up to [`MAX_CONNECTIONS`].
pub struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    room: Arc<Semaphore>,
}

impl Door {
    pub fn new(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { listener, tls, room: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Small answers at once; a failure only makes them slower.
                    let _ = stream.set_nodelay(true);
                    let link = Link { cut: Arc::default() };
                    let stream = match &self.tls {
                        Some(tls) => Stream::Greeting(Box::new(tls.accept(stream))),
                        None => Stream::Plain(stream),
                    };
                    return (Connection { stream, link, _room: room }, address);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection; it holds its place under the limit.
pub struct Connection {
    stream: Stream,
    link: Link,
    _room: OwnedSemaphorePermit,
}

/// The bytes of a connection, in the clear or through TLS, whose greeting takes place at the first
/// use so that nobody else waits for it.
enum Stream {
    Plain(TcpStream),
    Greeting(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Either kind of stream, ready for bytes.
trait Bytes: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl Stream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Bytes>>> {
        if let Self::Greeting(greeting) = self {
            match ready!(Pin::new(greeting.as_mut()).poll(cx)) {
                Ok(stream) => *self = Self::Secure(Box::new(stream)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            Self::Secure(stream) => Ok(Pin::new(stream.as_mut())),
            Self::Greeting(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// Lets an answer be dropped together with its connection.
#[derive(Clone)]
pub struct Link {
    cut: Arc<AtomicBool>,
}

impl Link {
    /// From now on nothing is written; the next write closes the connection.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    fn alive(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl Connected<IncomingStream<'_, Door>> for Link {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().link.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_ready(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.link.alive()?;
        ready!(self.stream.poll_ready(cx))?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.link.alive()?;
        ready!(self.stream.poll_ready(cx))?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self.stream, Stream::Plain(_))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_ready(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Stream::Greeting(_) = self.stream {
            return Poll::Ready(Ok(()));
        }
        ready!(self.stream.poll_ready(cx))?.poll_shutdown(cx)
    }
}
