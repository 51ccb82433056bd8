//! A registry in this process that does one thing wrong. What it is not told to do wrong, it does as the
//! specification says; it knows one user.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use fargate_tests::free_place;
use fargate_tests::image_registry::AUTHORIZATION;

use crate::image_layout::{MANIFEST_TYPE, digest_of};

/// The first byte of a connection that begins with TLS. Source: RFC 8446, "Record Protocol".
const TLS_HANDSHAKE: u8 = 0x16;

/// What happens to requests with this method whose path contains this text.
#[derive(Clone)]
pub struct ScriptedFault {
    pub method: &'static str,
    pub path: &'static str,
    /// How many of them; the others are answered as usual.
    pub times: usize,
    pub what: ScriptedAnswer,
}

/// What is done instead of the usual.
#[derive(Clone)]
pub enum ScriptedAnswer {
    /// Status, headers and body.
    Answer(&'static str, String, &'static str),
    /// The connection ends in the middle of the body that is sent.
    Cut,
    /// Nothing is answered, for ever.
    Silence,
}

/// The registry. It answers until the test process ends.
pub struct ScriptedRegistry {
    place: SocketAddr,
    state: Arc<Mutex<ScriptedState>>,
}

#[derive(Default)]
struct ScriptedState {
    is_open: bool,
    faults: Vec<ScriptedFault>,
    blobs: HashMap<String, Vec<u8>>,
    manifests: HashMap<String, Vec<u8>>,
    requests: Vec<String>,
    uploads: usize,
}

struct ScriptedRequest {
    method: String,
    path: String,
    authorized: bool,
    body: Vec<u8>,
}

impl ScriptedRegistry {
    /// Starts one with these faults.
    pub fn start(faults: Vec<ScriptedFault>) -> Self {
        let place = free_place();
        let state = Arc::new(Mutex::new(ScriptedState { faults, ..ScriptedState::default() }));
        let listener = TcpListener::bind(place).expect("a free port");
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, place, &shared));
            }
        });
        Self { place, state }
    }

    pub fn host(&self) -> String {
        self.place.to_string()
    }

    /// From now on everybody may do everything.
    pub fn open_to_all(&self) {
        self.state.lock().expect("no panic while answering").is_open = true;
    }

    /// Method and path of every request, in order.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().expect("no panic while answering").requests.clone()
    }

    /// The tags and digests that have a manifest.
    pub fn manifests(&self) -> Vec<String> {
        let state = self.state.lock().expect("no panic while answering");
        state.manifests.keys().cloned().collect()
    }
}

fn serve(stream: TcpStream, place: SocketAddr, state: &Mutex<ScriptedState>) {
    let mut first = [0];
    if !matches!(stream.peek(&mut first), Ok(1)) || first[0] == TLS_HANDSHAKE {
        return;
    }
    let mut reader = BufReader::new(stream);
    loop {
        let fault = |method: &str, path: &str| {
            let mut state = state.lock().expect("no panic while answering");
            state.requests.push(format!("{method} {path}"));
            let fits = |fault: &&mut ScriptedFault| {
                fault.times > 0 && fault.method == method && path.contains(fault.path)
            };
            state.faults.iter_mut().find(fits).map(|fault| {
                fault.times -= 1;
                fault.what.clone()
            })
        };
        let Some((request, fault)) = read_request(&mut reader, fault) else { return };
        let answer = match fault {
            Some(ScriptedAnswer::Cut) => return,
            Some(ScriptedAnswer::Silence) => {
                // Until the other side is gone.
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            Some(ScriptedAnswer::Answer(status, headers, body)) => {
                answer(status, &headers, body.as_bytes())
            }
            None => usual(&request, place, &mut state.lock().expect("no panic while answering")),
        };
        let is_head = request.method == "HEAD";
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("headers") + 4;
        let sent = if is_head { &answer[..end] } else { &answer[..] };
        if reader.get_mut().write_all(sent).is_err() {
            return;
        }
    }
}

/// Reads one request. Of one that is to be cut, half of the body is read.
fn read_request(
    reader: &mut BufReader<TcpStream>,
    fault: impl FnOnce(&str, &str) -> Option<ScriptedAnswer>,
) -> Option<(ScriptedRequest, Option<ScriptedAnswer>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorized = value == AUTHORIZATION,
            _ => {}
        }
    }
    let fault = fault(&method, &path);
    if matches!(fault, Some(ScriptedAnswer::Cut)) {
        length /= 2;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((ScriptedRequest { method, path, authorized, body }, fault))
}

fn usual(request: &ScriptedRequest, place: SocketAddr, state: &mut ScriptedState) -> Vec<u8> {
    if !request.authorized && !state.is_open {
        return answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"a test\"\r\n", b"{}");
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let last = path.rsplit('/').next().unwrap_or_default();
    let (of_manifest, of_upload) = (path.contains("/manifests/"), path.contains("/uploads/"));
    match request.method.as_str() {
        "GET" | "HEAD" => {
            let found = if of_manifest { state.manifests.get(last) } else { state.blobs.get(last) };
            match found {
                Some(bytes) => {
                    answer("200 OK", &format!("Content-Type: {MANIFEST_TYPE}\r\n"), bytes)
                }
                None => answer("404 Not Found", "", b"{}"),
            }
        }
        "POST" => {
            state.uploads += 1;
            let place = format!("http://{place}{path}{}?state=a%2Fb", state.uploads);
            answer("202 Accepted", &format!("Location: {place}\r\n"), b"")
        }
        "PUT" if of_upload && query.starts_with("state=a%2Fb&digest=") => {
            let digest = digest_of(&request.body);
            let told = query.rsplit('=').next().unwrap_or_default().replace("%3A", ":");
            if digest != told {
                let said = br#"{"errors":[{"code":"DIGEST_INVALID","message":"other bytes"}]}"#;
                return answer("400 Bad Request", "", said);
            }
            state.blobs.insert(digest, request.body.clone());
            answer("201 Created", "", b"")
        }
        "PUT" if of_manifest => {
            state.manifests.insert(digest_of(&request.body), request.body.clone());
            state.manifests.insert(last.to_owned(), request.body.clone());
            answer("201 Created", "", b"")
        }
        "DELETE" if of_upload => answer("204 No Content", "", b""),
        _ => answer("405 Method Not Allowed", "", b"{}"),
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n{headers}");
    if !status.starts_with("204") {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
