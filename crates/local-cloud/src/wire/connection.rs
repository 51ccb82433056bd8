//! Connections of the endpoint: a limit on their number, TLS where it is asked for, and a handle by
//! which whoever answers a request can reset its connection without an answer, or slow it down.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
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

use crate::clock::CloudClock;

/// Connections at one time; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// Pause after an accept that had no room, for example because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts up to [`MAX_CONNECTIONS`].
pub struct EndpointListener {
    listener: TcpListener,
    listens_on: IpAddr,
    tls: Option<TlsAcceptor>,
    room: Arc<Semaphore>,
}

impl EndpointListener {
    pub fn new(listener: TcpListener, listens_on: IpAddr, tls: Option<TlsAcceptor>) -> Self {
        Self { listener, listens_on, tls, room: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl Listener for EndpointListener {
    type Io = EndpointConnection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (EndpointConnection, SocketAddr) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Small answers at once; a failure only makes them slower.
                    let _ = stream.set_nodelay(true);
                    let (listens_on, way) = (self.listens_on, Arc::default());
                    let link = ConnectionControl { peer: address, listens_on, way };
                    let stream = match &self.tls {
                        Some(tls) => EndpointStream::Greeting(Box::new(tls.accept(stream))),
                        None => EndpointStream::Plain(stream),
                    };
                    let connection = EndpointConnection { stream, link, pause: None, _room: room };
                    return (connection, address);
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
pub struct EndpointConnection {
    stream: EndpointStream,
    link: ConnectionControl,
    /// Until the next byte of an answer that trickles.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _room: OwnedSemaphorePermit,
}

/// The bytes of a connection, in the clear or through TLS, whose greeting takes place at the first
/// use so that nobody else waits for it.
enum EndpointStream {
    Plain(TcpStream),
    Greeting(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Either kind of stream, ready for bytes.
trait AsyncByteStream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> AsyncByteStream for T {}

impl EndpointStream {
    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Pin<&mut dyn AsyncByteStream>>> {
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

/// Lets whoever answers decide on the way of the answer.
#[derive(Clone)]
pub struct ConnectionControl {
    peer: SocketAddr,
    listens_on: IpAddr,
    way: Arc<Mutex<WriteMode>>,
}

/// How bytes are written.
#[derive(Clone, Default)]
enum WriteMode {
    #[default]
    Freely,
    /// One at a time, by the cloud's clock.
    Trickling(Arc<CloudClock>, Duration),
    /// Not at all: the next write resets the connection.
    Cut,
}

impl ConnectionControl {
    /// Who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address of this machine that the cloud listens on.
    pub fn listens_on(&self) -> IpAddr {
        self.listens_on
    }

    /// From now on nothing is written; the next write resets the connection.
    pub fn cut(&self) {
        self.go(WriteMode::Cut);
    }

    /// From now on one byte is written at a time, with this pause after each.
    pub fn trickle(&self, clock: &Arc<CloudClock>, pause: Duration) {
        self.go(WriteMode::Trickling(Arc::clone(clock), pause));
    }

    /// From now on everything is written at once.
    pub fn flow(&self) {
        self.go(WriteMode::Freely);
    }

    fn go(&self, way: WriteMode) {
        *self.way.lock().expect("no one panics with the way") = way;
    }

    fn way(&self) -> WriteMode {
        self.way.lock().expect("no one panics with the way").clone()
    }
}

impl Connected<IncomingStream<'_, EndpointListener>> for ConnectionControl {
    fn connect_info(stream: IncomingStream<'_, EndpointListener>) -> Self {
        stream.io().link.clone()
    }
}

impl AsyncRead for EndpointConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_ready(cx))?.poll_read(cx, buffer)
    }
}

impl EndpointConnection {
    /// Makes the end of the connection a reset, as of a peer that is gone.
    fn reset(&self) -> io::Error {
        let stream = match &self.stream {
            EndpointStream::Plain(stream) => Some(stream),
            EndpointStream::Secure(stream) => Some(stream.get_ref().0),
            EndpointStream::Greeting(_) => None,
        };
        // A failure makes it an orderly end, which is no answer either.
        let _ = stream.map(TcpStream::set_zero_linger);
        io::ErrorKind::ConnectionReset.into()
    }

    /// Writes one byte, once the pause after the one before is over.
    fn poll_trickle(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        (clock, each): (Arc<CloudClock>, Duration),
    ) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let byte = &bytes[..bytes.len().min(1)];
        let written = ready!(ready!(self.stream.poll_ready(cx))?.poll_write(cx, byte))?;
        self.pause = Some(Box::pin(async move { clock.sleep(each).await }));
        Poll::Ready(Ok(written))
    }
}

impl AsyncWrite for EndpointConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.link.way() {
            WriteMode::Freely => ready!(self.stream.poll_ready(cx))?.poll_write(cx, bytes),
            WriteMode::Trickling(clock, each) => self.poll_trickle(cx, bytes, (clock, each)),
            WriteMode::Cut => Poll::Ready(Err(self.reset())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.link.way(), WriteMode::Freely) {
            return ready!(self.stream.poll_ready(cx))?.poll_write_vectored(cx, parts);
        }
        let first = parts.iter().find(|part| !part.is_empty());
        self.poll_write(cx, first.map_or(&[], |part| part))
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self.stream, EndpointStream::Plain(_))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_ready(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let EndpointStream::Greeting(_) = self.stream {
            return Poll::Ready(Ok(()));
        }
        ready!(self.stream.poll_ready(cx))?.poll_shutdown(cx)
    }
}
