//! Connections of the endpoint: a limit on their number, TLS if the cloud has it, and a handle by which
//! the code that answers a request can slow its connection down or reset it.

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

/// Connections at one time; more connections wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// Pause after an accept that failed, for example because file descriptors ran out.
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
                    // Sends small answers at once. A failure only makes them slower.
                    let _ = stream.set_nodelay(true);
                    let (listens_on, mode) = (self.listens_on, Arc::default());
                    let link = ConnectionControl { peer: address, listens_on, mode };
                    let stream = match &self.tls {
                        Some(tls) => EndpointStream::Handshake(Box::new(tls.accept(stream))),
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

/// One connection; it counts for the limit until it is dropped.
pub struct EndpointConnection {
    stream: EndpointStream,
    link: ConnectionControl,
    /// The pause before the next byte of a slow answer.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _room: OwnedSemaphorePermit,
}

/// The bytes of a connection, plain or through TLS. The TLS handshake takes place at the first use, so
/// that no other connection waits for it.
enum EndpointStream {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
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
        if let Self::Handshake(handshake) = self {
            match ready!(Pin::new(handshake.as_mut()).poll(cx)) {
                Ok(stream) => *self = Self::Secure(Box::new(stream)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(match self {
            Self::Plain(stream) => Ok(Pin::new(stream)),
            Self::Secure(stream) => Ok(Pin::new(stream.as_mut())),
            Self::Handshake(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

/// Lets the code that answers decide how the answer is written.
#[derive(Clone)]
pub struct ConnectionControl {
    peer: SocketAddr,
    listens_on: IpAddr,
    mode: Arc<Mutex<WriteMode>>,
}

/// How bytes are written.
#[derive(Clone, Default)]
enum WriteMode {
    #[default]
    Normal,
    /// One byte at a time, with a pause by the cloud's clock.
    ByteByByte(Arc<CloudClock>, Duration),
    /// Not at all. The next write resets the connection.
    Reset,
}

impl ConnectionControl {
    /// The address of the client.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address of this machine that the cloud listens on.
    pub fn listens_on(&self) -> IpAddr {
        self.listens_on
    }

    /// From now on nothing is written; the next write resets the connection.
    pub fn cut(&self) {
        self.set_mode(WriteMode::Reset);
    }

    /// From now on one byte is written at a time, with this pause after each.
    pub fn trickle(&self, clock: &Arc<CloudClock>, pause: Duration) {
        self.set_mode(WriteMode::ByteByByte(Arc::clone(clock), pause));
    }

    /// From now on everything is written normally.
    pub fn flow(&self) {
        self.set_mode(WriteMode::Normal);
    }

    fn set_mode(&self, mode: WriteMode) {
        *self.mode.lock().expect("no one panics while holding the mode") = mode;
    }

    fn mode(&self) -> WriteMode {
        self.mode.lock().expect("no one panics while holding the mode").clone()
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
    /// Makes the end of the connection a reset, as if the peer had vanished.
    fn reset(&self) -> io::Error {
        let stream = match &self.stream {
            EndpointStream::Plain(stream) => Some(stream),
            EndpointStream::Secure(stream) => Some(stream.get_ref().0),
            EndpointStream::Handshake(_) => None,
        };
        // A failure makes it an orderly end, which is no answer either.
        let _ = stream.map(TcpStream::set_zero_linger);
        io::ErrorKind::ConnectionReset.into()
    }

    /// Writes one byte, after the pause that follows the byte before.
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
        match self.link.mode() {
            WriteMode::Normal => ready!(self.stream.poll_ready(cx))?.poll_write(cx, bytes),
            WriteMode::ByteByByte(clock, each) => self.poll_trickle(cx, bytes, (clock, each)),
            WriteMode::Reset => Poll::Ready(Err(self.reset())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.link.mode(), WriteMode::Normal) {
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
        if let EndpointStream::Handshake(_) = self.stream {
            return Poll::Ready(Ok(()));
        }
        ready!(self.stream.poll_ready(cx))?.poll_shutdown(cx)
    }
}
