//! An HTTP server on this machine that answers as a test says. It plays the sources of credentials
//! that the local cloud does not have, and services whose answers are wrong.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::loopback_server::LoopbackServer;

/// What a request is answered with.
pub enum CannedAnswer {
    /// Status 200 and this body.
    Body(String),
    /// This status and no body.
    Status(u16),
    /// Nothing; the connection stays open.
    Silence,
    /// Status 200 and a body that never ends.
    Endless,
    /// Status 200 and the announcement of so many bytes.
    Announced(u64),
}

/// An HTTP server that answers as a test says. It ends when this is dropped.
pub struct AnswerServer {
    server: LoopbackServer,
    asked: Arc<Mutex<Vec<String>>>,
}

impl AnswerServer {
    /// Answers each request by its text: its head and its body.
    pub async fn start(answer: impl Fn(&str) -> CannedAnswer + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (noted, answer) = (Arc::clone(&asked), Arc::new(answer));
        let server = LoopbackServer::start(move |client| {
            let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            async move { serve(client, &noted, &*answer).await }
        });
        Self { server: server.await, asked }
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no one panics while noting").clone()
    }
}

async fn serve(
    mut client: TcpStream,
    asked: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> CannedAnswer + Send + Sync),
) {
    let Some(request) = request(&mut client).await else { return };
    asked.lock().expect("no one panics while noting").push(request.clone());
    let head =
        |status, more: String| format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{more}\r\n");
    let written = match answer(&request) {
        CannedAnswer::Silence => return std::future::pending().await,
        CannedAnswer::Status(status) => head(status, "content-length: 0\r\n".to_owned()),
        // The lifetime is for a token of the instance's metadata, and nobody else minds it.
        CannedAnswer::Body(body) => {
            let length = body.len();
            let more = format!(
                "content-length: {length}\r\ncontent-type: application/json\r\n\
                 x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"
            );
            head(200, more) + &body
        }
        CannedAnswer::Announced(length) => head(200, format!("content-length: {length}\r\n")),
        CannedAnswer::Endless => {
            let begun = head(200, "transfer-encoding: chunked\r\n".to_owned());
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            if client.write_all(begun.as_bytes()).await.is_ok() {
                while client.write_all(chunk.as_bytes()).await.is_ok() {}
            }
            return;
        }
    };
    let _ = client.write_all(written.as_bytes()).await;
}

/// The head and the body of a request.
async fn request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0_usize) {
                return Some(text);
            }
        }
        match client.read(&mut buffer).await {
            Ok(n @ 1..) => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}
