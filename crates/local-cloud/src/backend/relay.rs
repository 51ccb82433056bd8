//! The public address of a task: connections to it reach the private address, as through an internet
//! gateway. It serves one port, that of the cloud's own endpoint, where agents listen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Pause between two tries to reach a container that does not listen yet.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// Tries before a connection is given up.
const TRIES: u32 = 400;
/// Connections at one time.
const MAX_CONNECTIONS: usize = 64;

/// Forwards connections until it is dropped.
pub struct PublicAddressRelay {
    _listening: JoinSet<()>,
}

impl PublicAddressRelay {
    /// Opens `public`. Every connection is counted and forwarded to `private`.
    ///
    /// # Errors
    ///
    /// If the machine refuses the address.
    pub async fn open(
        public: SocketAddr,
        private: SocketAddr,
        count: Arc<AtomicUsize>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(public).await?;
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            // Dropped together with this task, which ends all connections.
            let mut connections = JoinSet::new();
            loop {
                while connections.try_join_next().is_some() {}
                if connections.len() >= MAX_CONNECTIONS {
                    connections.join_next().await;
                    continue;
                }
                match listener.accept().await {
                    Ok((stream, _)) => {
                        count.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(forward(stream, private));
                    }
                    Err(_) => sleep(RETRY_PAUSE).await,
                }
            }
        });
        Ok(Self { _listening: listening })
    }
}

async fn forward(mut outer: TcpStream, private: SocketAddr) {
    for _ in 0..TRIES {
        match TcpStream::connect(private).await {
            Ok(mut inner) => {
                let _ = outer.set_nodelay(true);
                let _ = inner.set_nodelay(true);
                // Either side may end the connection, with an error or without.
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
                return;
            }
            Err(_) => sleep(RETRY_PAUSE).await,
        }
    }
}
