//! An HTTP proxy in this process: it opens tunnels, passes plain requests on, or refuses, as a test
//! says. Every request goes to the local cloud, whatever name it asks for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::loopback_server::LoopbackServer;

/// How it treats a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyBehaviour {
    /// Passes everything on.
    Helpful,
    /// Passes on what brings this `Proxy-Authorization`, and asks the others for it.
    Strict(&'static str),
    /// Says that the other side cannot be reached.
    Lost,
    /// Takes connections and says nothing.
    Silent,
}

/// A proxy that listens until this is dropped.
pub struct HttpProxy {
    server: LoopbackServer,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpProxy {
    /// Starts one before `to`.
    pub async fn start(behaviour: ProxyBehaviour, to: SocketAddr) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let serve = move |client| serve(client, behaviour, to, Arc::clone(&noted));
        Self { server: LoopbackServer::start(serve).await, asked }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The first line of every request that a connection began with.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no one panics while noting").clone()
    }
}

async fn serve(
    mut client: TcpStream,
    behaviour: ProxyBehaviour,
    to: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Some((head, rest)) = head_of(&mut client).await else { return };
    let line = head.lines().next().unwrap_or_default().to_owned();
    asked.lock().expect("no one panics while noting").push(line.clone());
    let login = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
    });
    let refusal = match behaviour {
        ProxyBehaviour::Helpful => None,
        ProxyBehaviour::Strict(expected) if login == Some(expected) => None,
        ProxyBehaviour::Strict(_) => Some("407 Proxy Authentication Required"),
        ProxyBehaviour::Lost => Some("502 Bad Gateway"),
        ProxyBehaviour::Silent => return std::future::pending().await,
    };
    if let Some(refusal) = refusal {
        let answer =
            format!("HTTP/1.1 {refusal}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    let tunnel = line.starts_with("CONNECT ");
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let first: &[u8] =
        if tunnel { b"HTTP/1.1 200 Connection established\r\n\r\n" } else { head.as_bytes() };
    let to = if tunnel { &mut client } else { &mut server };
    if to.write_all(first).await.is_ok() && server.write_all(&rest).await.is_ok() {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// The head of a request with its empty line, and what came after it.
async fn head_of(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        match client.read(&mut buffer).await {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}
