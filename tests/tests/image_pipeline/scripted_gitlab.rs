//! The three calls of GitLab's API by which a change is offered. It ends with the test program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// Where the merge request is, as GitLab answers.
pub const MERGE_REQUEST: &str = "https://gitlab.example/group/project/-/merge_requests/7";

/// One request.
#[derive(Clone, Debug)]
pub struct GitLabCall {
    pub line: String,
    pub token: String,
    pub body: Value,
}

/// The server, and what it was asked.
pub struct ScriptedApi {
    place: SocketAddr,
    calls: Arc<Mutex<Vec<GitLabCall>>>,
}

impl ScriptedApi {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = listener.local_addr().expect("an address");
        let calls = Arc::<Mutex<Vec<GitLabCall>>>::default();
        let noted = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let call = answer(stream);
                noted.lock().expect("no thread panics here").extend(call);
            }
        });
        Self { place, calls }
    }

    pub fn url(&self) -> String {
        format!("http://{}/api/v4", self.place)
    }

    pub fn calls(&self) -> Vec<GitLabCall> {
        self.calls.lock().expect("no thread panics here").clone()
    }
}

/// Answers one request; `None` if it was cut.
fn answer(stream: TcpStream) -> Option<GitLabCall> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut line, mut token, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line).ok()?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "private-token" => token = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, said) = match line.split(' ').next() {
        // The project has no manifest yet.
        Some("HEAD") => ("404 Not Found", String::new()),
        _ => ("201 Created", format!("{{\"web_url\":\"{MERGE_REQUEST}\"}}")),
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", said.len());
    (&stream).write_all(format!("{head}{said}").as_bytes()).ok()?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    Some(GitLabCall { line, token, body: serde_json::from_slice(&body).unwrap_or_default() })
}
