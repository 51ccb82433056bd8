//! A registry as public ones are: a token service gives the right to pull, and blobs lie on another server.
//! It answers three paths and nothing else.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use fargate_tests::free_place;
use sha2::{Digest, Sha256};

use fargate_tests::image_registry::AUTHORIZATION;

const TOKEN: &str = "token-of-the-test-0123456789";
/// The first byte of a connection that begins with TLS. Source: RFC 8446, "Record Protocol".
const TLS_HANDSHAKE: u8 = 0x16;
const CONFIG: &str = r#"{"os":"linux","architecture":"amd64"}"#;

/// The registry with its token service, and the server of its blobs. It answers until the test process ends.
pub struct TokenRegistry {
    place: SocketAddr,
    /// The first lines and the logins of all requests to the server of the blobs.
    blob_requests: Arc<Mutex<Vec<String>>>,
}

impl TokenRegistry {
    pub fn start() -> Self {
        let (place, blobs) = (free_place(), free_place());
        let blob_requests = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&blob_requests);
        serve(blobs, move |request| {
            noted.lock().expect("no panic while noting").push(request.to_owned());
            answer("200 OK", "", CONFIG)
        });
        serve(place, move |request| answer_as_registry(request, place, blobs));
        Self { place, blob_requests }
    }

    /// What stands before the `/` of an image here.
    pub fn host(&self) -> String {
        self.place.to_string()
    }

    /// What the server of the blobs was asked, in lower case.
    pub fn blob_requests(&self) -> Vec<String> {
        self.blob_requests.lock().expect("no panic while noting").clone()
    }
}

fn answer_as_registry(request: &str, place: SocketAddr, blobs: SocketAddr) -> String {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let has = |login: &str| request.contains(&format!("authorization: {login}"));
    if path.starts_with("/token?") {
        let asks =
            path.contains("scope=repository%3Ateam%2Fci%3Apull") && path.contains("service=s");
        return match has(AUTHORIZATION) && asks {
            true => answer("200 OK", "", &format!(r#"{{"token":"{TOKEN}"}}"#)),
            false => answer("401 Unauthorized", "", "{}"),
        };
    }
    if !has(&format!("Bearer {TOKEN}")) {
        let header =
            format!("WWW-Authenticate: Bearer realm=\"http://{place}/token\",service=\"s\"\r\n");
        return answer("401 Unauthorized", &header, "{}");
    }
    let config = format!("sha256:{}", hex::encode(Sha256::digest(CONFIG)));
    if path.ends_with(&config) {
        let header = format!("Location: http://{blobs}/far/away\r\n");
        return answer("307 Temporary Redirect", &header, "");
    }
    answer("200 OK", "", &format!(r#"{{"schemaVersion":2,"config":{{"digest":"{config}"}}}}"#))
}

/// An answer with these lines of headers and this body.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Answers one request of each connection.
pub fn serve(place: SocketAddr, answer: impl Fn(&str) -> String + Send + 'static) {
    let listener = TcpListener::bind(place).expect("a free place");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever speaks TLS sends no line, and gets no answer.
            let Some(request) = head_of(&stream) else { continue };
            let mut stream = stream;
            let _ = stream.write_all(answer(&request).as_bytes());
        }
    });
}

/// The request's lines, with the names of its headers in lower case.
fn head_of(stream: &TcpStream) -> Option<String> {
    let (mut head, mut first) = (String::new(), [0]);
    if stream.peek(&mut first).ok()? == 0 || first[0] == TLS_HANDSHAKE {
        return None;
    }
    for line in BufReader::new(stream).lines() {
        let line = line.ok().filter(|line| line.is_ascii() && !line.contains('\u{0}'))?;
        match line.split_once(": ") {
            Some((name, value)) => {
                let _ = writeln!(head, "{}: {value}", name.to_ascii_lowercase());
            }
            None if line.is_empty() => return Some(head),
            None => {
                let _ = writeln!(head, "{line}");
            }
        }
    }
    None
}
