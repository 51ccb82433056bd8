//! A TCP proxy in this process, between a driver and its task, that a test can break in several
//! ways.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with its connections from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both directions pass.
    Open,
    /// Every connection is closed in good order.
    Closed,
    /// Every connection is reset.
    Reset,
    /// Nothing passes, and nobody is told.
    Silent,
    /// Bytes pass until this many have come from the task; then the connection is closed.
    CutAfter(usize),
    /// The byte of the task's at this offset is flipped.
    FlipAt(usize),
}

/// A proxy that listens, until this is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Passes on to `target`.
    pub async fn to(target: SocketAddr, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (way, seen) = watch::channel(way);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(task) = TcpStream::connect(target).await else { continue };
                connections.spawn(pass(client, task, seen.clone()));
            }
        });
        Self { address, way, accepting }
    }

    /// From now on.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut client: TcpStream, mut task: TcpStream, mut way: watch::Receiver<Way>) {
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    let mut passed = 0;
    loop {
        let now = *way.borrow_and_update();
        let passes = !matches!(now, Way::Silent);
        match now {
            Way::Closed => return,
            Way::Reset => {
                for stream in [&client, &task] {
                    // A close without lingering resets.
                    let socket = socket2::SockRef::from(stream);
                    socket.set_linger(Some(Duration::ZERO)).expect("an open socket");
                }
                return;
            }
            Way::CutAfter(limit) if passed >= limit => return,
            _ => {}
        }
        tokio::select! {
            changed = way.changed() => if changed.is_err() { return },
            read = client.read(&mut up), if passes => match read {
                Ok(n @ 1..) if task.write_all(&up[..n]).await.is_ok() => {}
                _ => return,
            },
            read = task.read(&mut down), if passes => match read {
                Ok(n @ 1..) => {
                    let mut bytes = down[..n].to_vec();
                    if let Way::FlipAt(at) = now
                        && (passed..passed + n).contains(&at)
                    {
                        bytes[at - passed] ^= 1;
                    }
                    if let Way::CutAfter(limit) = now {
                        bytes.truncate(limit - passed);
                    }
                    passed += n;
                    if client.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
