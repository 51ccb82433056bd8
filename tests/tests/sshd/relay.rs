//! A TCP relay in this process between a driver and its task, which a test can turn to another
//! machine, or let say and swallow what it likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to the connections to come.
#[derive(Clone, Debug)]
pub enum Way {
    /// They reach this machine.
    To(SocketAddr),
    /// They hear this, and then nothing; what they say is swallowed.
    Says(Vec<u8>),
    /// They hear this and are closed.
    SaysAndCloses(Vec<u8>),
}

/// A relay that listens, until this is dropped.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    accepted: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port.
    pub async fn new(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (way, seen) = watch::channel(way);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let way = seen.borrow().clone();
                connections.spawn(serve(client, way));
            }
        });
        Self { address, way, accepted, accepting }
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// For the connections to come.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, way: Way) {
    match way {
        Way::To(target) => {
            if let Ok(mut task) = TcpStream::connect(target).await {
                // How it ends is for the two ends to judge.
                let _ = copy_bidirectional(&mut client, &mut task).await;
            }
        }
        Way::Says(words) => {
            let (mut read, mut write) = client.split();
            let swallow = async {
                let mut buffer = [0; 4096];
                while let Ok(1..) = read.read(&mut buffer).await {}
            };
            // A client that hears enough may leave in the middle of it.
            let _ = tokio::join!(write.write_all(&words), swallow);
        }
        Way::SaysAndCloses(words) => {
            let _ = client.write_all(&words).await;
            let _ = client.shutdown().await;
        }
    }
}
