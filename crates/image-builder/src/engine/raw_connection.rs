//! Connections to the engine for what its client library does not know: builds by BuildKit.
//!
//! HTTP is spoken by the library that the client itself stands on.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// How long the engine may take to accept a connection, and to answer its first question.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// Largest head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// A stream of either kind.
pub(super) trait EngineStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> EngineStream for S {}

/// Connects to the engine at an address that its client has accepted.
pub(super) async fn connect(address: &str) -> io::Result<Box<dyn EngineStream>> {
    let connected = async {
        let place = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("http://"));
        Ok(match place {
            Some(place) => {
                let stream = TcpStream::connect(place.trim_end_matches('/')).await?;
                Box::new(stream) as Box<dyn EngineStream>
            }
            None => {
                let path = address.strip_prefix("unix://").unwrap_or(address);
                Box::new(UnixStream::connect(path).await?)
            }
        })
    };
    limited(connected).await
}

/// Asks for another protocol on a new connection, and gives the connection once the engine agreed.
pub(super) async fn upgrade(address: &str, request: &str) -> io::Result<Box<dyn EngineStream>> {
    let mut stream = connect(address).await?;
    let agreed = async {
        stream.write_all(request.as_bytes()).await?;
        read_head(&mut stream).await
    };
    let head = limited(agreed).await?;
    match head.split_whitespace().nth(1) {
        Some("101") => Ok(stream),
        _ => Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned())),
    }
}

/// Which builder the engine prefers: `2` is BuildKit. Its client library does not tell.
///
/// Source: Docker Engine API, `/_ping`: `Builder-Version`.
pub(super) async fn builder_version(address: &str) -> io::Result<Option<String>> {
    let mut stream = connect(address).await?;
    let asked = async {
        stream.write_all(b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n").await?;
        read_head(&mut stream).await
    };
    let head = limited(asked).await?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let found = headers.find(|(name, _)| name.eq_ignore_ascii_case("Builder-Version"));
    Ok(found.map(|(_, value)| value.trim().to_owned()))
}

/// The head of an answer, and not a byte of what follows it.
async fn read_head(stream: &mut (dyn EngineStream + '_)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::other("the head of the answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn limited<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_TIME, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
