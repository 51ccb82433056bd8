//! The TCP connection to a task that may not listen yet.
//!
//! Refused: again after a moment. Silent: given up soon, because a fresh SYN is answered faster
//! than the kernel repeats a lost one.

use std::net::SocketAddr;
use std::time::Duration;

use fargate_config::Timeouts;
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
///
/// # Errors
///
/// [`DialError`]; the caller decides whether to try again.
pub async fn once(address: SocketAddr, within: Duration) -> Result<TcpStream, DialError> {
    let stream = match timeout(within, TcpStream::connect(address)).await {
        Err(_) => return Err(DialError::Silent),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(DialError::Refused);
        }
        Ok(Err(error)) => return Err(DialError::Unreachable(error.kind())),
        Ok(Ok(stream)) => stream,
    };
    // Only a matter of speed; a kernel that refuses it still connects.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Tries until a connection stands; the caller gives the deadline by dropping it. `seen` tells how
/// the last attempt failed.
pub async fn dial(
    address: SocketAddr,
    timeouts: &Timeouts,
    mut seen: impl FnMut(DialError),
) -> TcpStream {
    loop {
        match once(address, timeouts.dial).await {
            Ok(stream) => return stream,
            Err(error) => {
                seen(error);
                if error != DialError::Silent {
                    sleep(timeouts.dial_again).await;
                }
            }
        }
    }
}
