//! An HTTP server of somebody else: a webhook, or gitlab-runner. It answers as a test says, and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum ServerAnswer {
    /// This status and this body.
    Status(u16, String),
    /// Nothing; the connection stays open.
    Silence,
}

/// A server. It ends when this is dropped.
pub struct AnsweringServer {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for AnsweringServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl AnsweringServer {
    /// Answers the first requests with these, and all others with the last of them.
    pub async fn start(answers: Vec<ServerAnswer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (noted, left) = (Arc::clone(&asked), Arc::new(Mutex::new(VecDeque::from(answers))));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&noted), Arc::clone(&left)));
            }
        });
        Self { url, asked, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Every request so far: its head and its body.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no one panics while noting").clone()
    }
}

async fn serve(
    mut client: TcpStream,
    asked: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<VecDeque<ServerAnswer>>>,
) {
    let Some(request) = request(&mut client).await else { return };
    asked.lock().expect("no one panics while noting").push(request);
    let answer = {
        let mut left = left.lock().expect("no one panics while answering");
        if left.len() > 1 { left.pop_front() } else { left.front().cloned() }
    };
    match answer {
        Some(ServerAnswer::Status(status, body)) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Answer\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = client.write_all((head + &body).as_bytes()).await;
        }
        Some(ServerAnswer::Silence) | None => std::future::pending().await,
    }
}

/// A whole request with the body that its head announces.
async fn request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut part = [0; 4096];
        match client.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
        }
    }
}
