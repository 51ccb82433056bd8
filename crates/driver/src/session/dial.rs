//! Opens the TCP connection to a task that may not listen yet.
//!
//! If it is refused, it dials again after a moment. If nothing answers, it soon gives up and dials
//! again, because a new SYN is answered sooner than the kernel repeats a lost one. It never gives
//! up for good; the caller does.

use std::net::SocketAddr;

use fargate_config::JobTimeouts;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError {
    /// The host answers, but nothing listens on the port.
    Refused,
    /// Nothing answers: a firewall drops the packets, or the host does not exist yet.
    Silent,
    /// This host or the network reports an error.
    Unreachable(std::io::ErrorKind),
}

/// Dials once. If data that is sent later is not acknowledged for as long as keepalives would take,
/// the connection ends, even while the SSH library is busy sending.
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
    // These options only make it faster or more patient. A kernel that refuses them connects all
    // the same.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_tcp_quickack(true);
    Ok(stream)
}

/// Dials until there is a connection. The caller ends it by dropping the future. `seen` gets the
/// error of each failed try.
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
