//! A client of HTTP that sends what a test says, also what no proper client would send.

use std::net::{IpAddr, SocketAddr};

use fargate_tests::PATIENCE;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// An answer.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The first value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        headers.find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The stable code of a refusal.
    #[track_caller]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends these bytes, and reads until the server ends the connection.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    exchange_over(TcpStream::connect(address).await.expect("a connection"), bytes).await
}

async fn exchange_over(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    // The server may have answered and closed before it took all.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server keeps the connection: {}", String::from_utf8_lossy(&answer));
    answer
}

/// A request with these headers beside `Host`, unless they name one.
pub async fn request(
    address: SocketAddr,
    target: (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    parse(&exchange(address, &request_bytes(address, target, headers, body)).await)
}

/// The same from an address of this machine that the test chooses.
pub async fn request_from(
    source: IpAddr,
    address: SocketAddr,
    target: (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(source, 0)).expect("an address of this machine");
    let stream = socket.connect(address).await.expect("a connection");
    parse(&exchange_over(stream, &request_bytes(address, target, headers, body)).await)
}

fn request_bytes(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// Reads a whole answer.
#[track_caller]
pub fn parse(bytes: &[u8]) -> HttpAnswer {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let first = lines.next().expect("a status line");
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let is_chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    HttpAnswer { status, headers, body }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|part| part == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&body[..end]), 16);
        let (Ok(size), rest) = (size, &body[end + 2..]) else { break };
        if size == 0 || rest.len() < size {
            break;
        }
        whole.extend_from_slice(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}
