//! The public address of a task: whoever connects to it reaches the private one, as through an
//! internet gateway. It knows one port, that of the cloud's own endpoint, where agents listen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Between two tries to reach a container that does not listen yet.
const AGAIN: Duration = Duration::from_millis(5);
/// Tries until a connection is given up.
const TRIES: u32 = 400;
/// Connections at one time.
const MAX_CONNECTIONS: usize = 64;

/// Leads connections on until it is dropped.
pub struct PublicAddressRelay {
    _listening: JoinSet<()>,
}

impl PublicAddressRelay {
    /// Opens `public`; every connection is counted and led to `private`.
    ///
    /// # Errors
    ///
    /// What the system says when the address cannot be had.
    pub async fn open(
        public: SocketAddr,
        private: SocketAddr,
        count: Arc<AtomicUsize>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(public).await?;
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            // Dropped with this task, and all connections with it.
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
                        connections.spawn(lead(stream, private));
                    }
                    Err(_) => sleep(AGAIN).await,
                }
            }
        });
        Ok(Self { _listening: listening })
    }
}

async fn lead(mut outer: TcpStream, private: SocketAddr) {
    for _ in 0..TRIES {
        match TcpStream::connect(private).await {
            Ok(mut inner) => {
                let _ = outer.set_nodelay(true);
                let _ = inner.set_nodelay(true);
                // However it ends, it is over.
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
                return;
            }
            Err(_) => sleep(AGAIN).await,
        }
    }
}
