//! The TCP connection to a task that may not listen yet.
//!
//! Refused: again after a moment. Silent: given up soon, because a fresh SYN is answered faster
//! than the kernel repeats a lost one.

use std::net::SocketAddr;

use fargate_config::JobTimeouts;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Why no connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError {
    /// The host answers, but nothing listens.
    Refused,
    /// No answer at all: a firewall, or no such host yet.
    Silent,
    /// Something on this host or the way.
    Unreachable(std::io::ErrorKind),
}

/// One attempt.
pub(super) async fn once(
    address: SocketAddr,
    timeouts: &JobTimeouts,
) -> Result<TcpStream, DialError> {
    let stream = match timeout(timeouts.connect_attempt, TcpStream::connect(address)).await {
        Err(_) => return Err(DialError::Silent),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(DialError::Refused);
        }
        Ok(Err(error)) => return Err(DialError::Unreachable(error.kind())),
        Ok(Ok(stream)) => stream,
    };
    // Matters of speed and patience; a kernel that refuses them still connects.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_tcp_quickack(true);
    Ok(stream)
}

/// Tries until a connection stands; the caller gives the deadline by dropping it. `seen` tells how
/// the last attempt failed.
pub async fn dial(
    address: SocketAddr,
    timeouts: &JobTimeouts,
    mut seen: impl FnMut(DialError),
) -> TcpStream {
    loop {
        match once(address, timeouts).await {
            Ok(stream) => return stream,
            Err(error) => {
                seen(error);
                if error != DialError::Silent {
                    sleep(timeouts.connect_retry_pause).await;
                }
            }
        }
    }
}
