//! An engine for tests that answers as a script says: what no real engine does on demand.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const INFO: &str = r#"{"ServerVersion":"20.10.24","OSType":"linux","Architecture":"x86_64"}"#;
const VERSION: &str = r#"{"ApiVersion":"1.41","Version":"20.10.24"}"#;

/// The engine. It ends with this value.
pub struct ScriptedEngine {
    folder: TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl ScriptedEngine {
    /// Answers a build with this body, after all of the context has arrived; then it closes the connection,
    /// or keeps it open and silent.
    pub fn start(build: &str, stays_open: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine")).unwrap();
        let build: Arc<str> = build.into();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&build), stays_open));
            }
        });
        Self { folder, server }
    }

    pub fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine").display())
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: UnixStream, build: Arc<str>, stays_open: bool) {
    let mut asked = Vec::new();
    let mut room = vec![0; 65536];
    loop {
        let head = String::from_utf8_lossy(&asked).into_owned();
        let is_build = head.starts_with("POST");
        let is_whole = match is_build {
            // The last piece of a chunked body.
            true => asked.ends_with(b"\r\n0\r\n\r\n"),
            false => head.contains("\r\n\r\n"),
        };
        if is_whole && is_build {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let body = format!("{head}{:x}\r\n{build}\r\n", build.len());
            let _ = stream.write_all(body.as_bytes()).await;
            match stays_open {
                true => std::future::pending().await,
                false => drop(stream.write_all(b"0\r\n\r\n").await),
            }
            return;
        }
        if is_whole {
            if head.starts_with("HEAD") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nBuilder-Version: 1\r\n\r\n").await;
                return;
            }
            let body = if head.contains("/version") { VERSION } else { INFO };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            asked.clear();
        }
        match stream.read(&mut room).await {
            Ok(read) if read > 0 => asked.extend_from_slice(&room[..read]),
            _ => return,
        }
    }
}
